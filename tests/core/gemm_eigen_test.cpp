// Products against Eigen's, an implementation that shares nothing with ours: the shapes of model_strong's layers and
// random ones, both types, all transpositions.
#include <Eigen/Core>
#include <array>
#include <memory>

#include <doctest/doctest.h>

#include "kernel_tables.h"
#include "serene/core/gemm.h"

using namespace serene;
using namespace serene::test;

namespace {

template <class S>
using RowMajor = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class S>
using View = Eigen::Map<RowMajor<S>>;

template <class S>
void check_against_eigen(bool ta, bool tb, Index m, Index n, Index k) {
  CAPTURE(ta);
  CAPTURE(tb);
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  auto a = random_values<S>(m * k, 1), b = random_values<S>(k * n, 2), c = random_values<S>(m * n, 3);
  const View<S> ea(a.data(), ta ? k : m, ta ? m : k), eb(b.data(), tb ? n : k, tb ? k : n);
  RowMajor<S> expected = View<S>(c.data(), m, n);
  if (ta && tb) expected.noalias() += ea.transpose() * eb.transpose();
  if (ta && !tb) expected.noalias() += ea.transpose() * eb;
  if (!ta && tb) expected.noalias() += ea * eb.transpose();
  if (!ta && !tb) expected.noalias() += ea * eb;

  std::vector<S> room(static_cast<std::size_t>(packed_size<S>(k, n)) + 64 / sizeof(S));
  void* place = room.data();
  std::size_t bytes = room.size() * sizeof(S);
  S* work = static_cast<S*>(std::align(64, static_cast<std::size_t>(packed_size<S>(k, n)) * sizeof(S), place, bytes));
  REQUIRE(work != nullptr);
  gemm(ta ? Trans::yes : Trans::no, tb ? Trans::yes : Trans::no, m, n, k, a.data(), ta ? m : k, b.data(), tb ? k : n,
       true, c.data(), n, work);
  const double scale = std::max(1.0, static_cast<double>(expected.cwiseAbs().maxCoeff()));
  const double worst = static_cast<double>((View<S>(c.data(), m, n) - expected).cwiseAbs().maxCoeff());
  CHECK(worst <= scale * static_cast<double>(std::numeric_limits<S>::epsilon()) * static_cast<double>(k + 4));
}

}  // namespace

TEST_CASE_TEMPLATE("products are Eigen's", S, float, double) {
  // conv1, conv2, recurrent and attention products of model_strong, and shapes with tails on every side
  for (const auto [m, n, k] : {std::array<Index, 3>{300, 128, 280},
                               {150, 256, 640},
                               {8, 512, 128},
                               {75, 75, 128},
                               {1, 1, 1},
                               {3, 17, 5},
                               {13, 33, 129},
                               {25, 31, 7},
                               {12, 48, 1}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) check_against_eigen<S>(ta, tb, m, n, k);
    }
  }
}
