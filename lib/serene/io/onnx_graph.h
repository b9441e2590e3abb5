// A graph of ONNX in the making: constants, nodes, one input, one output, and the file that they become.
//
// The file is the protocol buffer ModelProto of onnx/onnx.proto3 (IR version 8, operator set 17), written by hand.
// Values have names: "<scope>/<operator>_<number>" for what nodes give.
#pragma once

#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "serene/core/types.h"
#include "serene/io/protobuf.h"

namespace serene {

struct OnnxAttribute {
  std::string name;
  std::variant<Index, float, std::string, std::vector<Index>> value;
};

class OnnxGraph {
 public:
  static constexpr int kOpset = 17;
  static constexpr int kIrVersion = 8;

  // Stands in front of the names of later values, such as the name of a layer.
  void scope(std::string name) { scope_ = std::move(name); }

  // A tensor of float32, row-major; returns its name, "<scope>/<name>" and a number where that is taken.
  std::string constant(const std::string& name, const std::vector<Index>& shape, std::span<const float> values);
  std::string scalar(float value) { return constant("value", {}, std::span<const float>(&value, 1)); }
  // A vector of int64, such as a shape; the same values share one tensor.
  std::string integers(const std::vector<Index>& values);

  // Adds a node and returns the name of its output number `output`; those before it are left out.
  std::string node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {}, int output = 0);

  // The graph's float32 input and output; a negative size is a dynamic one, with the name at its place in `names`.
  void input(const std::string& name, const std::vector<Index>& shape, const std::vector<std::string>& names);
  void output(const std::string& value, const std::string& name, const std::vector<Index>& shape,
              const std::vector<std::string>& names);
  void metadata(const std::string& key, const std::string& text) { metadata_[key] = text; }

  std::size_t node_count() const noexcept { return nodes_; }  // so far

  // The whole file. Throws Error(usage) when it exceeds the 2 GiB of a protocol buffer.
  std::string file(const std::string& graph_name) const;

 private:
  std::string fresh(const std::string& name);

  std::string scope_;
  std::map<std::string, int> taken_;  // how often each name was asked for
  std::map<std::vector<Index>, std::string> integers_;
  ProtobufMessage node_fields_, tensor_fields_, value_fields_;  // fields of GraphProto
  std::map<std::string, std::string> metadata_;
  std::size_t nodes_ = 0;
};

}  // namespace serene
