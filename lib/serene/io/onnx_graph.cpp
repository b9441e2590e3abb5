#include "serene/io/onnx_graph.h"

#include <limits>
#include <type_traits>

#include "serene/core/error.h"
#include "serene/version.h"

namespace serene {
namespace {

// Numbers of fields and kinds in onnx.proto3, by message.
namespace model_proto {
enum { ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8, metadata_props = 14 };
}
namespace opset_id {
enum { domain = 1, version = 2 };
}
namespace string_entry {
enum { key = 1, value = 2 };
}
namespace graph_proto {
enum { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node_proto {
enum { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
}
namespace attribute_proto {
enum { name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20 };
enum { type_float = 1, type_int = 2, type_string = 3, type_ints = 7 };
}  // namespace attribute_proto
namespace tensor_proto {
enum { dims = 1, data_type = 2, name = 8, raw_data = 9 };
enum { type_float = 1, type_int64 = 7 };
}  // namespace tensor_proto
namespace value_info {
enum { name = 1, type = 2 };
}
namespace type_proto {
enum { tensor_type = 1, elem_type = 1, shape = 2 };
}
namespace shape_proto {
enum { dim = 1, dim_value = 1, dim_param = 2 };
}

ProtobufMessage attribute_message(const OnnxAttribute& attribute) {
  namespace field = attribute_proto;
  ProtobufMessage m;
  m.text(field::name, attribute.name);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Index>) {
          m.number(field::i, value);
          m.number(field::type, field::type_int);
        } else if constexpr (std::is_same_v<T, float>) {
          m.real(field::f, value);
          m.number(field::type, field::type_float);
        } else if constexpr (std::is_same_v<T, std::string>) {
          m.text(field::s, value);
          m.number(field::type, field::type_string);
        } else {
          for (const Index v : value) m.number(field::ints, v);
          m.number(field::type, field::type_ints);
        }
      },
      attribute.value);
  return m;
}

template <class T>
ProtobufMessage tensor_message(const std::string& name, const std::vector<Index>& shape, int type,
                               std::span<const T> values) {
  ProtobufMessage m;
  for (const Index size : shape) m.number(tensor_proto::dims, size);
  m.number(tensor_proto::data_type, type);
  m.text(tensor_proto::name, name);
  m.raw(tensor_proto::raw_data, values);
  return m;
}

ProtobufMessage value_message(const std::string& name, const std::vector<Index>& shape,
                              const std::vector<std::string>& names) {
  ProtobufMessage dims, tensor, type, m;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    ProtobufMessage dim;
    if (shape[i] < 0) dim.text(shape_proto::dim_param, names[i]);
    else dim.number(shape_proto::dim_value, shape[i]);
    dims.message(shape_proto::dim, dim);
  }
  tensor.number(type_proto::elem_type, tensor_proto::type_float);
  tensor.message(type_proto::shape, dims);
  type.message(type_proto::tensor_type, tensor);
  m.text(value_info::name, name);
  m.message(value_info::type, type);
  return m;
}

}  // namespace

std::string OnnxGraph::fresh(const std::string& name) {
  const std::string full = scope_.empty() ? name : scope_ + "/" + name;
  const int uses = taken_[full]++;
  return uses == 0 ? full : full + "_" + std::to_string(uses);
}

std::string OnnxGraph::constant(const std::string& name, const std::vector<Index>& shape,
                                std::span<const float> values) {
  const std::string full = fresh(name);
  tensor_fields_.message(graph_proto::initializer, tensor_message(full, shape, tensor_proto::type_float, values));
  return full;
}

std::string OnnxGraph::integers(const std::vector<Index>& values) {
  std::string& name = integers_[values];
  if (!name.empty()) return name;
  name = "integers";
  for (const Index v : values) name += "_" + std::to_string(v);
  const std::vector<std::int64_t> wide(values.begin(), values.end());
  tensor_fields_.message(graph_proto::initializer,
                         tensor_message(name, {static_cast<Index>(values.size())}, tensor_proto::type_int64,
                                        std::span<const std::int64_t>(wide)));
  return name;
}

std::string OnnxGraph::node(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<OnnxAttribute>& attributes, int output) {
  const std::string name = fresh(op);
  ProtobufMessage m;
  for (const std::string& input : inputs) m.text(node_proto::input, input);
  for (int i = 0; i < output; ++i) m.text(node_proto::output, "");
  m.text(node_proto::output, name);
  m.text(node_proto::name, name);
  m.text(node_proto::op_type, op);
  for (const OnnxAttribute& a : attributes) m.message(node_proto::attribute, attribute_message(a));
  node_fields_.message(graph_proto::node, m);
  ++nodes_;
  return name;
}

void OnnxGraph::input(const std::string& name, const std::vector<Index>& shape, const std::vector<std::string>& names) {
  value_fields_.message(graph_proto::input, value_message(name, shape, names));
}

void OnnxGraph::output(const std::string& value, const std::string& name, const std::vector<Index>& shape,
                       const std::vector<std::string>& names) {
  ProtobufMessage m;  // a node of its own gives the value its public name
  m.text(node_proto::input, value);
  m.text(node_proto::output, name);
  m.text(node_proto::name, name);
  m.text(node_proto::op_type, "Identity");
  node_fields_.message(graph_proto::node, m);
  ++nodes_;
  value_fields_.message(graph_proto::output, value_message(name, shape, names));
}

std::string OnnxGraph::file(const std::string& graph_name) const {
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  const std::size_t size = node_fields_.bytes().size() + tensor_fields_.bytes().size();
  if (size > most - (1u << 20)) throw Error(ErrorCode::usage, "onnx", "the model exceeds the format's 2 GiB");
  ProtobufMessage name, opset, model;
  name.text(graph_proto::name, graph_name);
  opset.text(opset_id::domain, "");
  opset.number(opset_id::version, kOpset);
  model.number(model_proto::ir_version, kIrVersion);
  model.text(model_proto::producer_name, "serene");
  model.text(model_proto::producer_version, SERENE_VERSION);
  model.text(model_proto::graph, node_fields_.bytes() + name.bytes() + tensor_fields_.bytes() + value_fields_.bytes());
  model.message(model_proto::opset_import, opset);
  for (const auto& [key, text] : metadata_) {
    ProtobufMessage entry;
    entry.text(string_entry::key, key);
    entry.text(string_entry::value, text);
    model.message(model_proto::metadata_props, entry);
  }
  return model.bytes();
}

}  // namespace serene
