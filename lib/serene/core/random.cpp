#include "serene/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace serene {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * c[0];
    const std::uint64_t p1 = 0xCD9E8D57ull * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  return c;
}

Random::Random(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint64_t b) noexcept
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {
  // Two rounds fold the 160 bits of (purpose, a, b) into the key, so that the 128-bit counter is free to count.
  for (const std::uint64_t word : {a, b}) {
    const auto mixed = philox4x32({static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32),
                                   static_cast<std::uint32_t>(purpose), 0x5EEDu},
                                  key_);
    key_ = {mixed[0], mixed[1]};
  }
  counter_ = {0, 0, 0, 0};
}

std::uint32_t Random::bits() noexcept {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    for (auto& word : counter_) {
      if (++word != 0) break;
    }
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

double Random::uniform() noexcept {
  const std::uint64_t high = bits() >> 5, low = bits() >> 6;
  return static_cast<double>(high * 67108864u + low) * (1.0 / 9007199254740992.0);
}

double Random::uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }

double Random::normal() noexcept {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::uint64_t Random::below(std::uint64_t n) noexcept {
  // Rejection of the incomplete last interval keeps every value equally likely.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  std::uint64_t value;
  do {
    value = (static_cast<std::uint64_t>(bits()) << 32) | bits();
  } while (value >= limit);
  return value % n;
}

// ln of a Gamma(shape, 1) variate: d v with v = (1 + c x)^3, x normal, accepted when ln U < x^2 / 2 + d (1 - v + ln v).
double Random::log_gamma_variate(double shape) noexcept {
  const double boost = shape < 1 ? std::log(1.0 - uniform()) / shape : 0.0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(), root = 1.0 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(1.0 - uniform()) < 0.5 * x * x + d * (1.0 - v + std::log(v))) return boost + std::log(d * v);
  }
}

double Random::beta(double a, double b) noexcept {
  const double log_a = log_gamma_variate(a), log_b = log_gamma_variate(b);
  return 1.0 / (1.0 + std::exp(log_b - log_a));
}

std::vector<std::size_t> Random::permutation(std::size_t n) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(std::span<std::size_t>(order));
  return order;
}

}  // namespace serene
