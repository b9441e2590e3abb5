// The suite itself must be able to fail.
#include "layer_suite.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace serene {
namespace {

// y = 2 x, with a gradient that is wrong by `error`.
class Doubling final : public Layer<double> {
 public:
  explicit Doubling(double error) : error_(error) {}
  std::string type() const override { return "doubling"; }
  std::string summary() const override { return "y = 2 x"; }
  Plan plan(Shape in, Mode) const override { return {in, 0, 0}; }
  void forward(Params<const double>, SeqView<const double> x, SeqView<double> y,
               const Frame<double>&) const noexcept override {
    for (Index i = 0; i < x.shape.size(); ++i) y.data[i] = 2 * x.data[i];
  }
  void backward(Params<const double>, SeqView<const double> x, SeqView<const double>, SeqView<const double> dy,
                SeqView<double> dx, const Frame<double>&, Params<double>) const noexcept override {
    for (Index i = 0; i < x.shape.size(); ++i) dx.data[i] = (2 + error_) * dy.data[i];
  }

 private:
  double error_;
};

}  // namespace

TEST_CASE("the gradient check tells right from wrong") {
  CHECK(check_layer_gradient(Doubling(0), {2, 3, 4}).below(1e-6));
  const GradientReport wrong = check_layer_gradient(Doubling(1e-4), {2, 3, 4});
  CHECK_FALSE(wrong.below(1e-6));
  CHECK(wrong.worst == doctest::Approx(5e-5).epsilon(0.01));
  CHECK(wrong.checked == 24);
  CHECK_FALSE(check_layer_gradient(Doubling(std::nan("")), {2, 3, 4}).below(1e-6));
  CHECK_FALSE(GradientReport{}.below(1));
}

TEST_CASE("the gradient check sees layers that read or write padding") {
  // Doubling copies the NaN of padded frames into dx, but the check looks at valid frames alone.
  CHECK(check_layer_gradient(Doubling(0), {2, 3, 4}, {3, 1}).below(1e-6));
  const Doubling layer(0);
  LayerRunner<double> run(layer, {1, 2, 1}, Mode::training, {1});
  run.fill_padding(5, 7);
  CHECK(run.x[1] == 5);
  CHECK(run.dy[1] == 7);
}

TEST_CASE("allocations are counted") {
  if (!test::counting_allocations()) {
    MESSAGE("allocations are not counted in this build");
    return;
  }
  const long before = test::allocations();
  void* volatile p = std::malloc(10);
  std::free(p);
  CHECK(test::allocations() == before + 1);
  {
    std::vector<int> v(100);
    CHECK(v.size() == 100);
  }
  CHECK(test::allocations() >= before + 2);
  struct alignas(64) Wide {
    double d[8];
  };
  const long middle = test::allocations();
  Wide* volatile w = new Wide();
  delete w;
  CHECK(test::allocations() > middle);
}

}  // namespace serene
