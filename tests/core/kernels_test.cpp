// Element-wise kernels of every table this processor can run: exp, tanh, sigmoid and the steps of an LSTM.
#include "serene/core/kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernel_tables.h"
#include "serene/core/recurrent_kernels.h"

using namespace serene;
using namespace serene::test;

namespace {

// Arrays of one step of an LSTM in forward and backward.
template <class S>
struct Step {
  std::vector<S> bias, z, c, c_prev, tanh_c, h, dh, dc, da;

  template <class T>
  static std::vector<S> from(const std::vector<T>& v) {
    return {v.begin(), v.end()};
  }
  explicit Step(Index u)
      : bias(from(random_values<float>(4 * u, 1))),
        z(from(random_values<float>(4 * u, 2))),
        c(from(random_values<float>(u, 3))),
        c_prev(c),
        tanh_c(static_cast<std::size_t>(u)),
        h(tanh_c),
        dh(from(random_values<float>(u, 4))),
        dc(from(random_values<float>(u, 5))),
        da(static_cast<std::size_t>(4 * u)) {
    for (S& x : z) x *= 5;
  }
};

double largest_difference(const std::vector<float>& x, const std::vector<double>& y) {
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
    if (std::isnan(x[i])) return std::numeric_limits<double>::infinity();
  }
  return worst;
}

}  // namespace

TEST_CASE("steps of an LSTM in float equal those in double") {
  for (const auto* t : kernel_tables<float>()) {
    CAPTURE(t->name);
    for (const Index u : {0, 1, 3, 15, 16, 17, 33, 128}) {
      CAPTURE(u);
      for (const bool with_bias : {true, false}) {
        Step<float> x(u);
        Step<double> y(u);
        t->lstm_forward(u, with_bias ? x.bias.data() : nullptr, x.z.data(), x.c.data(), x.tanh_c.data(), x.h.data());
        lstm_step_forward(u, with_bias ? y.bias.data() : nullptr, y.z.data(), y.c.data(), y.tanh_c.data(), y.h.data());
        CHECK(largest_difference(x.z, y.z) < 5e-7);
        CHECK(largest_difference(x.c, y.c) < 1e-6);
        CHECK(largest_difference(x.tanh_c, y.tanh_c) < 1e-6);
        CHECK(largest_difference(x.h, y.h) < 1e-6);
        t->lstm_backward(u, x.z.data(), x.c_prev.data(), x.tanh_c.data(), x.dh.data(), x.dc.data(), x.da.data());
        lstm_step_backward(u, y.z.data(), y.c_prev.data(), y.tanh_c.data(), y.dh.data(), y.dc.data(), y.da.data());
        CHECK(largest_difference(x.dc, y.dc) < 2e-6);
        CHECK(largest_difference(x.da, y.da) < 2e-6);
      }
    }
  }
}

TEST_CASE("the step in double is the formula") {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  double z[4] = {0.3, -0.7, 1.1, 0.2}, bias[4] = {0.1, 0.2, 0.3, 0.4}, c = 0.6, tanh_c = 0, h = 0;
  lstm_step_forward<double>(1, bias, z, &c, &tanh_c, &h);
  const double i = sigmoid(0.4), f = sigmoid(-0.5), g = std::tanh(1.4), o = sigmoid(0.6), state = f * 0.6 + i * g;
  CHECK(z[0] == doctest::Approx(i));
  CHECK(z[1] == doctest::Approx(f));
  CHECK(z[2] == doctest::Approx(g));
  CHECK(z[3] == doctest::Approx(o));
  CHECK(c == doctest::Approx(state));
  CHECK(h == doctest::Approx(o * std::tanh(state)));
  double dh = 0.8, dc = -0.3, da[4];
  const double through = dc + dh * o * (1 - std::tanh(state) * std::tanh(state)), c_prev = 0.6;
  lstm_step_backward<double>(1, z, &c_prev, &tanh_c, &dh, &dc, da);
  CHECK(da[0] == doctest::Approx(through * g * i * (1 - i)));
  CHECK(da[1] == doctest::Approx(through * c_prev * f * (1 - f)));
  CHECK(da[2] == doctest::Approx(through * i * (1 - g * g)));
  CHECK(da[3] == doctest::Approx(dh * tanh_c * o * (1 - o)));
  CHECK(dc == doctest::Approx(through * f));
}

TEST_CASE("a unit of an LSTM gives the same bits whatever its place") {
  for (const auto* t : kernel_tables<float>()) {
    const Index u = 37;
    const Step<float> start(u);
    Step<float> all = start;
    t->lstm_forward(u, all.bias.data(), all.z.data(), all.c.data(), all.tanh_c.data(), all.h.data());
    t->lstm_backward(u, all.z.data(), all.c_prev.data(), all.tanh_c.data(), all.dh.data(), all.dc.data(),
                     all.da.data());
    for (std::size_t j = 0; j < static_cast<std::size_t>(u); ++j) {
      const auto n = static_cast<std::size_t>(u);
      float z[4], bias[4], c = start.c[j], tanh_c, h, dc = start.dc[j], da[4];
      for (std::size_t g = 0; g < 4; ++g) z[g] = start.z[g * n + j], bias[g] = start.bias[g * n + j];
      t->lstm_forward(1, bias, z, &c, &tanh_c, &h);
      t->lstm_backward(1, z, &start.c_prev[j], &tanh_c, &start.dh[j], &dc, da);
      CHECK(c == all.c[j]);
      CHECK(h == all.h[j]);
      CHECK(tanh_c == all.tanh_c[j]);
      CHECK(dc == all.dc[j]);
      for (std::size_t g = 0; g < 4; ++g) {
        CHECK(z[g] == all.z[g * n + j]);
        CHECK(da[g] == all.da[g * n + j]);
      }
    }
  }
}

TEST_CASE("exp, tanh and sigmoid are exact to a few units in the last place and do not depend on the place") {
  using Function = void (*)(Index, const float*, float*) noexcept;
  for (const auto* t : kernel_tables<float>()) {
    const struct {
      Function fast;
      double (*exact)(double);
    } pairs[] = {{t->exp, [](double x) { return std::exp(x); }},
                 {t->tanh, [](double x) { return std::tanh(x); }},
                 {t->sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }}};
    std::vector<float> x;
    for (int i = -8700; i <= 8700; ++i) x.push_back(static_cast<float>(i) * 0.01f + 0.0003f);
    for (int i = -40; i < 3; ++i) x.push_back(std::ldexp(1.3f, i)), x.push_back(-std::ldexp(1.3f, i));
    for (const auto& pair : pairs) {
      std::vector<float> y(x.size());
      pair.fast(static_cast<Index>(x.size()), x.data(), y.data());
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = pair.exact(static_cast<double>(x[i]));
        if (exact < 1.2e-38 && exact > -1.2e-38) continue;  // denormal results may be flushed
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) - exact) / std::abs(exact));
        float alone = x[i];
        pair.fast(1, &alone, &alone);
        REQUIRE(std::memcmp(&alone, &y[i], sizeof alone) == 0);
      }
      CHECK(worst < 2.5 * 1.1920929e-7);
    }
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    float v[5] = {inf, -inf, nan, 1000, -1000}, e[5], th[5], s[5];
    t->exp(5, v, e), t->tanh(5, v, th), t->sigmoid(5, v, s);
    CHECK(e[0] == inf);
    CHECK(e[1] == 0);
    CHECK(std::isnan(e[2]));
    CHECK(e[3] == inf);
    CHECK(e[4] == 0);
    CHECK(th[0] == 1);
    CHECK(th[1] == -1);
    CHECK(std::isnan(th[2]));
    CHECK(th[3] == 1);
    CHECK(th[4] == -1);
    CHECK(s[0] == 1);
    CHECK(s[1] == 0);
    CHECK(std::isnan(s[2]));
    CHECK(s[3] == 1);
    CHECK(s[4] == 0);
  }
}
