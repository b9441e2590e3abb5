// Counter-based random numbers: every value is a pure function of (seed, purpose, counters), so the order in which
// threads or resumed runs ask for them does not matter.
//
// Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, SC 2011).
// The distributions are our own, so that every compiler and library gives the same bits. All functions are thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace serene {

// What a stream of numbers is for. Part of the key: two purposes never share numbers. Do not renumber.
enum class Purpose : std::uint32_t {
  init = 1,
  shuffle = 2,
  split = 3,
  dropout = 4,
  augment = 5,
  bootstrap = 6,
  crop = 7,
  synthetic = 8,
  noise = 9,
  join = 10,
  wave = 11,
  balance = 12,
  mixup = 20,
  sweep = 40,
  test = 100,
};

// One block of 128 random bits: the generator itself.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept;

// A cheap sequential stream over one key. Copyable; copies continue independently from the same place.
class Random {
 public:
  // a, b: what the numbers belong to, such as (epoch, clip) or (step, layer).
  Random(std::uint64_t seed, Purpose purpose, std::uint64_t a = 0, std::uint64_t b = 0) noexcept;

  std::uint32_t bits() noexcept;                     // 32 uniform bits
  double uniform() noexcept;                         // [0, 1), 53 bits
  double uniform(double low, double high) noexcept;  // [low, high)
  double normal() noexcept;                          // standard normal (Box-Muller)
  std::uint64_t below(std::uint64_t n) noexcept;     // 0..n-1 without bias; n >= 1
  // Beta(a, b) within [0, 1], a, b >= 1e-3: G_a / (G_a + G_b) with gamma variates by Marsaglia & Tsang, "A simple
  // method for generating gamma variables", 2000 (shapes below 1: G_a = G_(a+1) U^(1/a)), as logarithms.
  double beta(double a, double b) noexcept;

  // Fisher-Yates in place.
  template <class T>
  void shuffle(std::span<T> items) noexcept {
    for (std::size_t i = items.size(); i > 1; --i) {
      const std::size_t j = static_cast<std::size_t>(below(i));
      T held = static_cast<T&&>(items[i - 1]);
      items[i - 1] = static_cast<T&&>(items[j]);
      items[j] = static_cast<T&&>(held);
    }
  }

  // 0..n-1 in random order.
  std::vector<std::size_t> permutation(std::size_t n);

 private:
  double log_gamma_variate(double shape) noexcept;

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace serene
