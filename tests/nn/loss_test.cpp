#include "serene/nn/loss.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "serene/nn/gradient_check.h"

namespace serene {
namespace {

constexpr Index batch = 6, classes = 4;

struct Problem {
  std::vector<double> logits, soft;
  std::vector<Index> labels;

  explicit Problem(std::uint64_t seed) {
    Random random(seed, Purpose::test);
    for (Index b = 0; b < batch; ++b) {
      labels.push_back(static_cast<Index>(random.below(classes)));
      double sum = 0;
      for (Index k = 0; k < classes; ++k) {
        logits.push_back(2 * random.normal());
        soft.push_back(random.uniform());
        sum += soft.back();
      }
      for (Index k = 0; k < classes; ++k) soft[static_cast<std::size_t>(b * classes + k)] /= sum;
    }
  }
};

void check(const LossOptions& options, bool soft, const char* what) {
  Problem problem(4);
  const ClassificationLoss loss(options, classes);
  const Targets<double> targets{problem.labels.data(), soft ? problem.soft.data() : nullptr};
  const double divisor = loss.divisor(batch, targets);
  std::vector<double> gradient(problem.logits.size());
  loss.run(batch, problem.logits.data(), targets, divisor, LossOutputs<double>{nullptr, nullptr, gradient.data()});
  GradientReport report;
  check_gradient(
      "logits", problem.logits, gradient,
      [&] { return loss.run(batch, problem.logits.data(), targets, divisor, LossOutputs<double>{}); }, report);
  CHECK_MESSAGE(report.below(1e-6), what << ": " << report.worst << " at " << report.worst_at);
}

}  // namespace

TEST_CASE("gradients of the losses") {
  const std::vector<double> weights = {0.5, 2, 1, 0.1};
  for (const bool soft : {false, true}) {
    for (const bool weighted_mean : {false, true}) {
      LossOptions options;
      options.weighted_mean = weighted_mean;
      check(options, soft, "cross-entropy");
      options.label_smoothing = 0.1;
      options.class_weights = weights;
      check(options, soft, "smoothed, weighted");
      options.kind = LossOptions::Kind::focal;
      for (const double gamma : {0.0, 0.5, 1.0, 2.0, 3.5}) {
        options.gamma = gamma;
        options.alpha = {};
        check(options, soft, "focal");
        options.alpha = {1, 0.25, 3, 0.5};
        check(options, soft, "focal with alpha");
      }
    }
  }
}

namespace {

// Sample b may be of the classes k with bit k of masks[b % 4].
constexpr unsigned masks[] = {0b1111, 0b0101, 0b0110, 0b1000};

std::vector<std::uint8_t> mask_rows() {
  std::vector<std::uint8_t> rows;
  for (Index b = 0; b < batch; ++b)
    for (Index k = 0; k < classes; ++k) rows.push_back((masks[b % 4] >> k & 1u) != 0 ? 1 : 0);
  return rows;
}

}  // namespace

TEST_CASE(
    "masked classes: gradients by differences, none where a class is masked, and the loss over the others alone") {
  const auto allowed = mask_rows();
  Problem problem(6);
  for (Index b = 0; b < batch; ++b) {  // labels and soft targets within the masks
    double sum = 0;
    for (Index k = 0; k < classes; ++k) {
      double& q = problem.soft[static_cast<std::size_t>(b * classes + k)];
      q *= allowed[static_cast<std::size_t>(b * classes + k)];
      sum += q;
      if (allowed[static_cast<std::size_t>(b * classes + k)] != 0) problem.labels[static_cast<std::size_t>(b)] = k;
    }
    for (Index k = 0; k < classes; ++k) problem.soft[static_cast<std::size_t>(b * classes + k)] /= sum;
  }
  for (const auto kind : {LossOptions::Kind::cross_entropy, LossOptions::Kind::focal}) {
    for (const bool soft : {false, true}) {
      LossOptions options;
      options.kind = kind;
      options.label_smoothing = 0.1;
      options.class_weights = {0.5, 2, 1, 0.1};
      const ClassificationLoss loss(options, classes);
      const Targets<double> targets{problem.labels.data(), soft ? problem.soft.data() : nullptr, allowed.data()};
      const double divisor = loss.divisor(batch, targets);
      std::vector<double> gradient(problem.logits.size()), p(problem.logits.size()), losses(batch);
      loss.run(batch, problem.logits.data(), targets, divisor,
               LossOutputs<double>{losses.data(), p.data(), gradient.data()});
      GradientReport report;
      check_gradient(
          "logits", problem.logits, gradient,
          [&] { return loss.run(batch, problem.logits.data(), targets, divisor, LossOutputs<double>{}); }, report);
      CHECK_MESSAGE(report.below(1e-6), report.worst << " at " << report.worst_at);
      for (std::size_t i = 0; i < allowed.size(); ++i) {
        if (allowed[i] != 0) continue;
        CHECK(gradient[i] == 0);
        CHECK(p[i] == 0);
      }
      if (kind == LossOptions::Kind::cross_entropy) CHECK(losses[3] == 0);  // one class: nothing to choose
    }
  }
}

TEST_CASE("masked classes: the bits of a loss over these classes alone, and of no mask when all are allowed") {
  const double logits[] = {1.5, 40, -0.5, 2};
  const std::uint8_t some[] = {1, 0, 1, 1}, all[] = {1, 1, 1, 1};
  const double three[] = {1.5, -0.5, 2};
  const Index label = 2, label_of_three = 1;
  LossOptions options;
  options.label_smoothing = 0.2;
  const ClassificationLoss four(options, 4), of_three(options, 3);
  double g4[4], g3[3], all_g[4], plain_g[4];
  const double a = four.run(1, logits, Targets<double>{&label, nullptr, some}, 1, LossOutputs<double>{.gradient = g4});
  const double b = of_three.run(1, three, Targets<double>{&label_of_three}, 1, LossOutputs<double>{.gradient = g3});
  CHECK(a == doctest::Approx(b).epsilon(1e-14));
  CHECK(g4[0] == doctest::Approx(g3[0]).epsilon(1e-14));
  CHECK(g4[1] == 0);
  CHECK(g4[2] == doctest::Approx(g3[1]).epsilon(1e-14));
  CHECK(four.run(1, logits, Targets<double>{&label, nullptr, all}, 1, LossOutputs<double>{.gradient = all_g}) ==
        four.run(1, logits, Targets<double>{&label}, 1, LossOutputs<double>{.gradient = plain_g}));
  for (int k = 0; k < 4; ++k) CHECK(all_g[k] == plain_g[k]);
}

TEST_CASE("cross-entropy by hand") {
  const ClassificationLoss loss({}, 2);
  const double logits[] = {0, 0, std::log(3.0), 0};
  const Index labels[] = {0, 1};
  double losses[2], gradient[4], probabilities[4];
  const double mean =
      loss.run(2, logits, Targets<double>{labels, nullptr}, 2, LossOutputs<double>{losses, probabilities, gradient});
  CHECK(losses[0] == doctest::Approx(std::log(2.0)));
  CHECK(losses[1] == doctest::Approx(std::log(4.0)));
  CHECK(mean == doctest::Approx((losses[0] + losses[1]) / 2));
  CHECK(probabilities[2] == doctest::Approx(0.75));
  CHECK(gradient[2] == doctest::Approx(0.375));
  CHECK(gradient[3] == doctest::Approx(-0.375));
}

TEST_CASE("focal with gamma 0 is cross-entropy, one-hot soft targets are labels, shards add up") {
  Problem problem(9);
  LossOptions focal;
  focal.kind = LossOptions::Kind::focal;
  focal.gamma = 0;
  const ClassificationLoss a({}, classes), b(focal, classes);
  std::vector<double> one_hot(problem.soft.size(), 0.0);
  for (Index i = 0; i < batch; ++i) {
    one_hot[static_cast<std::size_t>(i * classes + problem.labels[static_cast<std::size_t>(i)])] = 1;
  }
  const Targets<double> hard{problem.labels.data(), nullptr};
  const double expected = a.run(batch, problem.logits.data(), hard, batch, LossOutputs<double>{});
  CHECK(b.run(batch, problem.logits.data(), hard, batch, LossOutputs<double>{}) == doctest::Approx(expected));
  CHECK(a.run(batch, problem.logits.data(), Targets<double>{nullptr, one_hot.data()}, batch, LossOutputs<double>{}) ==
        doctest::Approx(expected));
  const double first = a.run(2, problem.logits.data(), hard, batch, LossOutputs<double>{});
  const double rest = a.run(batch - 2, problem.logits.data() + 2 * classes,
                            Targets<double>{problem.labels.data() + 2, nullptr}, batch, LossOutputs<double>{});
  CHECK(first + rest == doctest::Approx(expected));
}

TEST_CASE("extreme logits stay finite") {
  for (const auto kind : {LossOptions::Kind::cross_entropy, LossOptions::Kind::focal}) {
    for (const double gamma : {0.5, 2.0}) {
      LossOptions options;
      options.kind = kind;
      options.gamma = gamma;
      options.label_smoothing = 0.1;
      const ClassificationLoss loss(options, 3);
      const float logits[] = {1e30f, -1e30f, 0, -1e4f, 1e4f, 0, 0, 0, 0};
      const Index labels[] = {1, 1, 2};
      float gradient[9];
      const double value =
          loss.run(3, logits, Targets<float>{labels, nullptr}, 3, LossOutputs<float>{nullptr, nullptr, gradient});
      CHECK(std::isfinite(value));
      for (float g : gradient) CHECK(std::isfinite(g));
    }
  }
}

TEST_CASE("the loss refuses options that do not fit") {
  CHECK_THROWS_AS((ClassificationLoss({.label_smoothing = 1}, 3)), Error);
  CHECK_THROWS_AS((ClassificationLoss({.gamma = -1}, 3)), Error);
  CHECK_THROWS_AS((ClassificationLoss({.class_weights = {1, 2}}, 3)), Error);
  CHECK_THROWS_AS((ClassificationLoss({.class_weights = {1, -2, 1}}, 3)), Error);
  CHECK_THROWS_AS((ClassificationLoss({.alpha = {1, std::numeric_limits<double>::quiet_NaN(), 1}}, 3)), Error);
  CHECK_THROWS_AS((ClassificationLoss({}, 0)), Error);
  CHECK(ClassificationLoss({}, 3).divisor(0, Targets<float>{}) == 1);
}

}  // namespace serene
