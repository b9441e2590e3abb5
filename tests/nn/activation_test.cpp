#include "serene/nn/activation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "layer_suite.h"

namespace serene {
namespace {

double naive(Activation a, double z) {
  switch (a) {
    case Activation::linear:
      return z;
    case Activation::relu:
      return z > 0 ? z : 0;
    case Activation::leaky_relu:
      return z > 0 ? z : 0.3 * z;
    case Activation::elu:
      return z > 0 ? z : std::exp(z) - 1;
    case Activation::gelu:
      return z * 0.5 * (1 + std::erf(z / std::sqrt(2.0)));
    case Activation::gelu_tanh:
      return 0.5 * z * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-z));
    case Activation::tanh:
      return std::tanh(z);
    case Activation::softplus:
      return std::log(1 + std::exp(z));
    case Activation::swish:
      return z / (1 + std::exp(-z));
    default:
      return 0;
  }
}

test::NaiveReference naive_layer(Activation a) {
  return [=](Params<const double>, const double* x, Index n, Index channels) {
    std::vector<double> y;
    for (Index t = 0; t < n; ++t) {
      double sum = 0;
      for (Index c = 0; c < channels; ++c) sum += std::exp(x[t * channels + c]);
      for (Index c = 0; c < channels; ++c) {
        const double z = x[t * channels + c];
        y.push_back(a == Activation::softmax       ? std::exp(z) / sum
                    : a == Activation::log_softmax ? z - std::log(sum)
                                                   : naive(a, z));
      }
    }
    return y;
  };
}

template <class S>
void check_extremes(Activation a) {
  const S big = std::numeric_limits<S>::max() / 4;
  std::vector<S> z = {-big, S(-1e6), S(-800), S(-100), S(-20), S(0), S(20), S(100), S(800), S(1e6), big};
  std::vector<S> y = z, dy(z.size(), S(1)), dz(z.size());
  const Index n = static_cast<Index>(z.size());
  activate(a, 1, n, y.data());
  activate_backward(a, 1, n, z.data(), y.data(), dy.data(), dz.data());
  for (std::size_t i = 0; i < z.size(); ++i) {
    CHECK_MESSAGE(std::isfinite(y[i]), activation_name(a) << "(" << z[i] << ") = " << y[i]);
    CHECK_MESSAGE(std::isfinite(dz[i]), activation_name(a) << "'(" << z[i] << ") = " << dz[i]);
  }
}

}  // namespace

TEST_CASE("every activation passes the layer suite") {
  for (const std::string& name : activation_names()) {
    const Activation a = parse_activation(name);
    const auto make = [a](auto s) { return std::make_shared<const ActivationLayer<decltype(s)>>(a); };
    test::run_layer_suite(name, make, {.channels = 5, .reference = naive_layer(a)});
    test::run_layer_suite(name + " one channel", make, {.channels = 1, .time = 4});
  }
}

TEST_CASE("long rows go through the blocks of the buffers") {
  for (const Activation a : {Activation::softmax, Activation::log_softmax, Activation::gelu_tanh, Activation::swish}) {
    const auto make = [a](auto s) { return std::make_shared<const ActivationLayer<decltype(s)>>(a); };
    test::SuiteOptions options{.channels = 600, .time = 2};
    options.reference = naive_layer(a);
    test::check_reference(activation_name(a), *make(0.0), options);
  }
}

TEST_CASE("extreme inputs neither overflow nor give a NaN") {
  for (const std::string& name : activation_names()) {
    check_extremes<float>(parse_activation(name));
    check_extremes<double>(parse_activation(name));
  }
}

TEST_CASE("a NaN stays visible behind relu") {
  float z[] = {1, std::numeric_limits<float>::quiet_NaN(), -1};
  activate(Activation::relu, 1, 3, z);
  CHECK(z[0] == 1);
  CHECK(std::isnan(z[1]));
  CHECK(z[2] == 0);
}

TEST_CASE("names of activations go there and back") {
  for (const std::string& name : activation_names()) CHECK(activation_name(parse_activation(name)) == name);
  CHECK_THROWS_AS(parse_activation("Relu"), Error);
}

}  // namespace serene
