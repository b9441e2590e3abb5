// Layers without recurrence or attention, against the reference vectors.
#include <string>
#include <vector>

#include "golden_case.h"
#include "golden_layer.h"
#include "serene/nn/activation.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/dense.h"
#include "serene/nn/dropout.h"
#include "serene/nn/layer_norm.h"
#include "serene/nn/pooling.h"

namespace serene::golden {
namespace {

// The set writes the slope of the leaky unit into its name.
Activation activation_of(const GoldenCase& c) {
  const std::string name = c.text("activation");
  return parse_activation(name == "leaky_relu_0.3" ? "leaky_relu" : name);
}

template <class S>
void run_conv1d(const GoldenCase& c, GoldenCheck<S>& check) {
  const Window window{c.integer("kernel_size"), c.integer("strides"), c.integer("dilation_rate"),
                      parse_padding(c.text("padding"))};
  const Conv1D<S> layer(c.shape("in.x").channels, c.integer("filters"), window, activation_of(c),
                        c.boolean("use_bias"));
  run_layer_case<S>(layer, c, check);
}
const RegisterRunner conv1d("Conv1D", run_conv1d<double>, run_conv1d<float>);

template <class S>
void run_dense(const GoldenCase& c, GoldenCheck<S>& check) {
  const Dense<S> layer(c.shape("in.x").channels, c.integer("units"), activation_of(c), c.boolean("use_bias"));
  run_layer_case<S>(layer, c, check);
}
const RegisterRunner dense("Dense", run_dense<double>, run_dense<float>);

template <class S>
void run_activation(const GoldenCase& c, GoldenCheck<S>& check) {
  run_layer_case<S>(ActivationLayer<S>(activation_of(c)), c, check);
}
const RegisterRunner activation("Activation", run_activation<double>, run_activation<float>);

template <class S>
void run_pooling(Pool kind, const GoldenCase& c, GoldenCheck<S>& check) {
  if (c.hyper.contains("count_include_pad") && c.boolean("count_include_pad")) {
    check.fail("count_include_pad is not supported");
  }
  const Window window{c.integer("pool_size"), c.integer("strides"), 1, parse_padding(c.text("padding"))};
  run_layer_case<S>(Pooling1D<S>(kind, window), c, check);
}
template <class S>
void run_max_pool(const GoldenCase& c, GoldenCheck<S>& check) {
  run_pooling(Pool::max, c, check);
}
template <class S>
void run_average_pool(const GoldenCase& c, GoldenCheck<S>& check) {
  run_pooling(Pool::average, c, check);
}
const RegisterRunner max_pool("MaxPool1D", run_max_pool<double>, run_max_pool<float>);
const RegisterRunner average_pool("AveragePool1D", run_average_pool<double>, run_average_pool<float>);

template <class S>
void run_global_average(const GoldenCase& c, GoldenCheck<S>& check) {
  run_layer_case<S>(GlobalPooling1D<S>(Pool::average), c, check, c.boolean("masked"));
}
template <class S>
void run_global_max(const GoldenCase& c, GoldenCheck<S>& check) {
  run_layer_case<S>(GlobalPooling1D<S>(Pool::max), c, check, c.boolean("masked"));
}
const RegisterRunner global_average("GlobalAveragePooling1D", run_global_average<double>, run_global_average<float>);
const RegisterRunner global_max("GlobalMaxPooling1D", run_global_max<double>, run_global_max<float>);

template <class S>
void run_layer_norm(const GoldenCase& c, GoldenCheck<S>& check) {
  run_layer_case<S>(LayerNorm<S>(c.shape("in.x").channels, c.number("epsilon")), c, check);
}
const RegisterRunner layer_norm("LayerNorm", run_layer_norm<double>, run_layer_norm<float>);

template <class S>
void run_dropout_kind(DropoutKind kind, const GoldenCase& c, GoldenCheck<S>& check) {
  const Dropout<S> layer = Dropout<S>(c.number("rate"), kind).with_mask(c.get<S>("aux.keep_mask"));
  run_layer_case<S>(layer, c, check);
}
template <class S>
void run_dropout(const GoldenCase& c, GoldenCheck<S>& check) {
  run_dropout_kind(DropoutKind::element, c, check);
}
template <class S>
void run_spatial_dropout(const GoldenCase& c, GoldenCheck<S>& check) {
  run_dropout_kind(DropoutKind::channel, c, check);
}
const RegisterRunner dropout("Dropout", run_dropout<double>, run_dropout<float>);
const RegisterRunner spatial_dropout("SpatialDropout1D", run_spatial_dropout<double>, run_spatial_dropout<float>);

// Training calls x0, x1, ... with the moving statistics after each, then one inference call x_eval with the last ones.
template <class S>
void run_batch_norm(const GoldenCase& c, GoldenCheck<S>& check) {
  const Index channels = static_cast<Index>(c.tensor("param.gamma").values.size());
  const BatchNorm<S> layer(c.shape("in.x_eval").channels, c.number("momentum"), c.number("epsilon"), channels);
  std::vector<S> mean = c.get<S>("in.moving_mean0"), variance = c.get<S>("in.moving_var0");

  const auto call = [&](const std::string& suffix, Mode mode) {
    LayerRunner<S> run(layer, c.shape("in.x" + suffix), mode, c.lengths());
    run.poison();
    copy_to(c.get<S>("in.x" + suffix), run.x.data(), run.x.size(), "in.x" + suffix);
    copy_to(c.get<S>("grad_out.y" + suffix), run.dy.data(), run.dy.size(), "grad_out.y" + suffix);
    copy_to(c.get<S>("param.gamma"), run.parameter(0), channels, "param.gamma");
    copy_to(c.get<S>("param.beta"), run.parameter(1), channels, "param.beta");
    copy_to(mean, run.parameter(2), channels, "moving mean");
    copy_to(variance, run.parameter(3), channels, "moving variance");
    run.forward();
    run.poison_scratch();
    run.backward();
    run.commit();
    check.equal("out.y" + suffix, run.y.data(), run.y.size());
    check.equal("grad_in.x" + suffix, run.dx.data(), run.dx.size());
    check.equal("grad_param.gamma" + suffix, run.gradient(0), channels);
    check.equal("grad_param.beta" + suffix, run.gradient(1), channels);
    mean.assign(run.parameter(2), run.parameter(2) + channels);
    variance.assign(run.parameter(3), run.parameter(3) + channels);
  };
  for (int i = 0; c.has("in.x" + std::to_string(i)); ++i) {
    call(std::to_string(i), Mode::training);
    check.equal("out.moving_mean" + std::to_string(i + 1), mean.data(), channels);
    check.equal("out.moving_var" + std::to_string(i + 1), variance.data(), channels);
  }
  call("_eval", Mode::inference);
}
const RegisterRunner batch_norm("BatchNorm", run_batch_norm<double>, run_batch_norm<float>);

}  // namespace
}  // namespace serene::golden
