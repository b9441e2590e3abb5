#include "serene/nn/model_builder.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "serene/nn/attention.h"
#include "serene/nn/attention_pooling.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/conv2d.h"
#include "serene/nn/dense.h"
#include "serene/nn/depthwise_conv1d.h"
#include "serene/nn/dropout.h"
#include "serene/nn/gaussian_noise.h"
#include "serene/nn/highway.h"
#include "serene/nn/layer_norm.h"
#include "serene/nn/multi_head_attention.h"
#include "serene/nn/pooling.h"
#include "serene/nn/pooling2d.h"
#include "serene/nn/residual.h"
#include "serene/nn/squeeze_excitation.h"

namespace serene {
namespace {

constexpr Index kMaxUnits = 1 << 16;
// Long enough that no sensible chain of strides and valid convolutions runs out of frames.
constexpr Index kProbeFrames = 1 << 14;

// What the layers before have made, and what the end must be.
struct Place {
  Index channels;
  Index classes;
  Index maps = 1;  // of the grids that the frames are (nn/grid.h)
};

Index units_of(JsonReader& r, const char* key, const Place& at) {
  const Json& value = r.raw(key);
  if (value.is_string()) {
    if (value.get<std::string>() == "classes") return at.classes;
    throw Error(ErrorCode::input, r.path_of(key), "not a size")
        .expected("a number or \"classes\"")
        .got("\"" + printable(value.get<std::string>()) + "\"");
  }
  return r.integer_in(key, 1, kMaxUnits);
}

// default_stride -1: a pooling, whose stride is its size and which has no dilation.
Window window_of(JsonReader& r, const char* size_key, Index default_stride) {
  Window w;
  const bool pool = default_stride < 0;
  w.size = pool ? r.integer_in(size_key, 1, kMaxUnits, 2) : r.integer_in(size_key, 1, kMaxUnits);
  w.stride = r.integer_in("strides", 1, kMaxUnits, pool ? w.size : default_stride);
  w.dilation = pool ? 1 : r.integer_in("dilation_rate", 1, kMaxUnits, 1);
  w.padding = parse_padding(r.choice("padding", {"valid", "same", "causal"}, "valid"));
  return w;
}

// A size along time and one along frequency, or one number for both.
std::pair<Index, Index> pair_of(JsonReader& r, const char* key) {
  const Json& value = r.raw(key);
  if (!value.is_array()) {
    const Index size = r.integer_in(key, 1, kMaxUnits);
    return {size, size};
  }
  const auto is_size = [](const Json& v) {
    return v.is_number_integer() && v.get<double>() >= 1 && v.get<double>() <= static_cast<double>(kMaxUnits);
  };
  if (value.size() == 2 && is_size(value[0]) && is_size(value[1]))
    return {value[0].get<Index>(), value[1].get<Index>()};
  throw Error(ErrorCode::input, r.path_of(key), "not two sizes")
      .expected("[time, frequency], each 1 to " + std::to_string(kMaxUnits))
      .got(printable(value.dump(), 40));
}

Window2D window2d_of(JsonReader& r, const char* size_key, bool pool) {
  const auto size = pool && !r.has(size_key) ? std::pair<Index, Index>{2, 2} : pair_of(r, size_key);
  const auto stride = r.has("strides") ? pair_of(r, "strides") : pool ? size : std::pair<Index, Index>{1, 1};
  const Padding padding = parse_padding(r.choice("padding", {"valid", "same"}, "valid"));
  return {{size.first, stride.first, 1, padding}, {size.second, stride.second, 1, padding}};
}

Grid grid_at(JsonReader& r, const char* type, const Place& at) {
  return grid_of(type, at.channels, r.integer_in("maps", 1, kMaxUnits, at.maps));
}

// Whether the frames are still grids of Place::maps behind a layer: channels stay in their places, or the layer says
// what becomes of the maps.
bool leaves_grid(const std::string& type) {
  for (const char* known : {"conv2d", "max_pooling2d", "average_pooling2d", "residual", "batch_norm", "layer_norm",
                            "activation", "dropout", "spatial_dropout1d", "max_pooling1d", "average_pooling1d",
                            "gaussian_noise", "depthwise_conv1d", "squeeze_excitation", "highway"}) {
    if (type == known) return true;
  }
  return false;
}

Activation activation_of(JsonReader& r, const char* fallback = "linear") {
  return parse_activation(r.choice("activation", activation_names(), fallback));
}

RecurrentOptions recurrent_of(JsonReader& r) {
  RecurrentOptions o;
  o.units = r.integer_in("units", 1, kMaxUnits);
  o.return_sequences = r.boolean("return_sequences", false);
  o.go_backwards = r.boolean("go_backwards", false);
  return o;
}

template <class S>
std::vector<NamedLayer<S>> make_layers(const Json& list, const std::string& path, Place& at, int depth);

template <class S>
LayerPtr<S> make_conv2d(JsonReader& r, Place& at) {
  const Grid in = grid_at(r, "conv2d", at);
  at.maps = units_of(r, "filters", at);
  const Window2D window = window2d_of(r, "kernel_size", false);
  const Activation activation = activation_of(r);
  return std::make_shared<Conv2D<S>>(in, at.maps, window, activation, r.boolean("use_bias", true));
}

template <class S>
LayerPtr<S> make_pooling2d(Pool kind, JsonReader& r, Place& at) {
  const Grid in = grid_at(r, "pooling2d", at);
  at.maps = in.maps;
  return std::make_shared<Pooling2D<S>>(kind, in, window2d_of(r, "pool_size", true));
}

template <class S>
LayerPtr<S> make_bidirectional_from(JsonReader& r, const Place& at) {
  JsonReader inner = r.object("layer");
  const std::string type = inner.choice("type", {"lstm", "gru"}, "lstm");
  RecurrentOptions o = recurrent_of(inner);
  inner.finish();
  return type == "lstm" ? make_bidirectional<S, Lstm>(at.channels, o) : make_bidirectional<S, Gru>(at.channels, o);
}

template <class S>
LayerPtr<S> make_residual(JsonReader& r, Place& at, int depth) {
  const Index channels = at.channels;
  Place beside = at;
  auto layers = make_layers<S>(r.raw("layers"), r.path_of("layers"), at, depth + 1);
  LayerPtr<S> shortcut;
  if (r.has("shortcut")) {
    auto list = make_layers<S>(r.raw("shortcut"), r.path_of("shortcut"), beside, depth + 1);
    shortcut = std::make_shared<LayerChain<S>>(std::move(list), "shortcut");
  }
  const Activation activation = activation_of(r);
  return std::make_shared<Residual<S>>(channels, std::move(layers), activation, std::move(shortcut),
                                       r.number_in("drop_path", 0, 0.999, 0));
}

template <class S>
LayerPtr<S> make_highway(JsonReader& r, Place& at, int depth) {
  const Index channels = at.channels;
  return std::make_shared<Highway<S>>(channels, make_layers<S>(r.raw("layers"), r.path_of("layers"), at, depth + 1));
}

// Depthwise without bias, then a convolution of width 1, which has bias and activation (Keras' SeparableConv1D).
template <class S>
LayerPtr<S> make_separable_conv1d(JsonReader& r, const Place& at) {
  const Index filters = units_of(r, "filters", at);
  const Window window = window_of(r, "kernel_size", 1);
  const Activation activation = activation_of(r);
  auto along = std::make_shared<DepthwiseConv1D<S>>(at.channels, window, Activation::linear, false);
  auto across = std::make_shared<Conv1D<S>>(at.channels, filters, Window{}, activation, r.boolean("use_bias", true));
  return std::make_shared<LayerChain<S>>(std::vector<NamedLayer<S>>{{"depthwise", along}, {"pointwise", across}},
                                         "separable_conv1d");
}

template <class S>
LayerPtr<S> make_squeeze_excitation(JsonReader& r, const Place& at) {
  if (r.has("units") && r.has("reduction")) throw r.error("reduction", "stands beside units").hint("give one of them");
  const Index reduction = r.integer_in("reduction", 1, kMaxUnits, 16);
  const Index units = r.integer_in("units", 1, kMaxUnits, std::max<Index>(at.channels / reduction, 1));
  return std::make_shared<SqueezeExcitation<S>>(at.channels, units);
}

template <class S>
LayerPtr<S> make_layer(const std::string& type, JsonReader& r, Place& at, int depth) {
  using Maker = std::function<LayerPtr<S>()>;
  const std::vector<std::pair<std::string, Maker>> makers = {
      {"conv1d",
       [&] {
         const Index filters = units_of(r, "filters", at);
         const Window window = window_of(r, "kernel_size", 1);
         const Activation activation = activation_of(r);
         return std::make_shared<Conv1D<S>>(at.channels, filters, window, activation, r.boolean("use_bias", true));
       }},
      {"depthwise_conv1d",
       [&] {
         const Window window = window_of(r, "kernel_size", 1);
         const Activation activation = activation_of(r);
         return std::make_shared<DepthwiseConv1D<S>>(at.channels, window, activation, r.boolean("use_bias", true));
       }},
      {"separable_conv1d", [&] { return make_separable_conv1d<S>(r, at); }},
      {"conv2d", [&] { return make_conv2d<S>(r, at); }},
      {"max_pooling2d", [&] { return make_pooling2d<S>(Pool::max, r, at); }},
      {"average_pooling2d", [&] { return make_pooling2d<S>(Pool::average, r, at); }},
      {"max_pooling1d", [&] { return std::make_shared<Pooling1D<S>>(Pool::max, window_of(r, "pool_size", -1)); }},
      {"average_pooling1d",
       [&] { return std::make_shared<Pooling1D<S>>(Pool::average, window_of(r, "pool_size", -1)); }},
      {"global_average_pooling1d", [&] { return std::make_shared<GlobalPooling1D<S>>(Pool::average); }},
      {"global_max_pooling1d", [&] { return std::make_shared<GlobalPooling1D<S>>(Pool::max); }},
      {"dense",
       [&] {
         const Index units = units_of(r, "units", at);
         const Activation activation = activation_of(r);
         return std::make_shared<Dense<S>>(at.channels, units, activation, r.boolean("use_bias", true));
       }},
      {"batch_norm",
       [&] {
         const double momentum = r.number_in("momentum", 0, 1, 0.99);
         const double epsilon = r.number_in("epsilon", 1e-12, 1, 1e-3);
         const Index channels = r.integer_in("channels", 1, kMaxUnits, 0);
         return std::make_shared<BatchNorm<S>>(at.channels, momentum, epsilon, channels);
       }},
      {"layer_norm",
       [&] { return std::make_shared<LayerNorm<S>>(at.channels, r.number_in("epsilon", 1e-12, 1, 1e-3)); }},
      {"activation", [&] { return std::make_shared<ActivationLayer<S>>(activation_of(r)); }},
      {"dropout", [&] { return std::make_shared<Dropout<S>>(r.number_in("rate", 0, 0.999, 0.5)); }},
      {"spatial_dropout1d",
       [&] { return std::make_shared<Dropout<S>>(r.number_in("rate", 0, 0.999, 0.5), DropoutKind::channel); }},
      {"gaussian_noise", [&] { return std::make_shared<GaussianNoise<S>>(r.number_in("stddev", 0, 1e6, 0.1)); }},
      {"squeeze_excitation", [&] { return make_squeeze_excitation<S>(r, at); }},
      {"lstm", [&] { return std::make_shared<Lstm<S>>(at.channels, recurrent_of(r)); }},
      {"gru", [&] { return std::make_shared<Gru<S>>(at.channels, recurrent_of(r)); }},
      {"bidirectional", [&] { return make_bidirectional_from<S>(r, at); }},
      {"self_attention", [&] { return std::make_shared<SelfAttention<S>>(); }},
      {"multi_head_attention",
       [&] {
         MultiHeadAttentionOptions o;
         o.heads = r.integer_in("num_heads", 1, 1024);
         o.key_dim = r.integer_in("key_dim", 1, kMaxUnits);
         o.use_bias = r.boolean("use_bias", true);
         return std::make_shared<MultiHeadAttention<S>>(at.channels, o);
       }},
      {"additive_attention_pooling",
       [&] { return std::make_shared<AdditiveAttentionPooling<S>>(at.channels, units_of(r, "units", at)); }},
      {"attentive_statistics_pooling",
       [&] { return std::make_shared<AttentiveStatisticsPooling<S>>(at.channels, units_of(r, "units", at)); }},
      {"residual", [&] { return make_residual<S>(r, at, depth); }},
      {"highway", [&] { return make_highway<S>(r, at, depth); }},
  };
  std::string known;
  for (const auto& [name, make] : makers) {
    if (name == type) return make();
    known += (known.empty() ? "" : ", ") + name;
  }
  throw Error(ErrorCode::input, r.path_of("type"), "unknown layer type \"" + printable(type) + "\"")
      .hint("known are " + known);
}

template <class S>
std::vector<NamedLayer<S>> make_layers(const Json& list, const std::string& path, Place& at, int depth) {
  if (!list.is_array() || list.empty() || list.size() > 1000) {
    throw Error(ErrorCode::input, path, "not a list of layers").expected("1..1000 objects").got(json_type(list));
  }
  if (depth > 8) throw Error(ErrorCode::input, path, "blocks nested too deeply").expected("at most 8");
  Shape shape{1, kProbeFrames, at.channels};
  std::vector<NamedLayer<S>> layers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = path + "[" + std::to_string(i) + "]";
    JsonReader r(list[i], place);
    const std::string type = r.text("type");
    at.channels = shape.channels;
    LayerPtr<S> layer = with_context(place, [&] { return make_layer<S>(type, r, at, depth); });
    if (!leaves_grid(type)) at.maps = 1;
    const std::string name = r.text("name", type + "_" + std::to_string(i));
    if (name.empty() || name.size() > 64 || name.find_first_of(". \t\n/\"") != std::string::npos) {
      throw Error(ErrorCode::input, r.path_of("name"), "not a usable name")
          .expected("1 to 64 characters without dots and blanks");
    }
    r.finish();
    shape = with_context(place, [&] { return layer->plan(shape, Mode::inference).out; });
    layers.push_back({name, std::move(layer)});
  }
  return layers;
}

}  // namespace

template <class S>
Model<S> build_model(const Json& model, Index input_channels, Index classes, const std::string& path) {
  JsonReader r(model, path);
  const Json& list = r.raw("layers");
  r.finish();
  Place at{input_channels, classes};
  Model<S> built(make_layers<S>(list, r.path_of("layers"), at, 0), input_channels);
  // A probe of two lengths tells whether time is gone at the end.
  const Shape a = built.shapes({1, kProbeFrames, input_channels}).back(),
              b = built.shapes({1, kProbeFrames / 2, input_channels}).back();
  if (built.output_channels() != classes || a.time != 1 || b.time != 1) {
    throw Error(ErrorCode::input, path, "does not end in one vector of classes")
        .expected("(1, 1, " + std::to_string(classes) + ")")
        .got(to_string(a))
        .hint("end with a pooling over time and dense with \"units\": \"classes\"");
  }
  return built;
}

template Model<float> build_model<float>(const Json&, Index, Index, const std::string&);
template Model<double> build_model<double>(const Json&, Index, Index, const std::string&);

}  // namespace serene
