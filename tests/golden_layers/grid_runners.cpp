// Layers over time and frequency, against the reference vectors.
#include <string>

#include "golden_case.h"
#include "golden_layer.h"
#include "serene/nn/conv2d.h"
#include "serene/nn/pooling2d.h"

namespace serene::golden {
namespace {

// Item 0 (time) or 1 (frequency) of a pair.
Index item(const GoldenCase& c, const char* key, std::size_t axis) { return c.hyper.at(key).at(axis).get<Index>(); }

Window2D window_of(const GoldenCase& c, const char* size) {
  const Padding padding = parse_padding(c.text("padding"));
  return {{item(c, size, 0), item(c, "strides", 0), 1, padding}, {item(c, size, 1), item(c, "strides", 1), 1, padding}};
}

template <class S>
void run_conv2d(const GoldenCase& c, GoldenCheck<S>& check) {
  const Grid in = grid_of(c.name, c.shape("in.x").channels, c.integer("maps"));
  const Conv2D<S> layer(in, c.integer("filters"), window_of(c, "kernel_size"), parse_activation(c.text("activation")),
                        c.boolean("use_bias"));
  run_layer_case<S>(layer, c, check);
}
const RegisterRunner conv2d("Conv2D", run_conv2d<double>, run_conv2d<float>);

template <class S>
void run_pooling(Pool kind, const GoldenCase& c, GoldenCheck<S>& check) {
  const Grid in = grid_of(c.name, c.shape("in.x").channels, c.integer("maps"));
  run_layer_case<S>(Pooling2D<S>(kind, in, window_of(c, "pool_size")), c, check);
}
template <class S>
void run_max_pool(const GoldenCase& c, GoldenCheck<S>& check) {
  run_pooling(Pool::max, c, check);
}
template <class S>
void run_average_pool(const GoldenCase& c, GoldenCheck<S>& check) {
  run_pooling(Pool::average, c, check);
}
const RegisterRunner max_pool("MaxPool2D", run_max_pool<double>, run_max_pool<float>);
const RegisterRunner average_pool("AveragePool2D", run_average_pool<double>, run_average_pool<float>);

}  // namespace
}  // namespace serene::golden
