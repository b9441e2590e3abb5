#include "support/measure.h"

#include <cmath>
#include <fstream>
#include <string>

namespace serene::bench {

Times summary(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto quantile = [&](double q) {
    const double rank = std::ceil(q * static_cast<double>(seconds.size()));
    return seconds[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  };
  return {quantile(0.5), seconds.front(), seconds.back(), quantile(0.99), static_cast<int>(seconds.size())};
}

Json to_json(const Times& t) {
  return {{"median_s", t.median}, {"min_s", t.least}, {"max_s", t.most}, {"p99_s", t.p99}, {"calls", t.calls}};
}

double peak_memory() noexcept {
  // Not getrusage's ru_maxrss: that begins with what the parent had when it started this process.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  return 0;
}

// A linear congruential generator is random enough for timing and needs no library.
std::vector<float> noise(std::size_t count, unsigned seed) {
  std::vector<float> values(count);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
  }
  return values;
}

}  // namespace serene::bench
