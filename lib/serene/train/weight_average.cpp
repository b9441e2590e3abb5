#include "serene/train/weight_average.h"

#include <algorithm>
#include <cmath>

namespace serene {
namespace {

const std::vector<std::string>& averaging_names() {
  static const std::vector<std::string> names{"none", "ema", "tail"};
  return names;
}

}  // namespace

AveragingConfig averaging_from_json(JsonReader r) {
  AveragingConfig c;
  const auto& names = averaging_names();
  const std::string name = r.choice("type", names, names[static_cast<std::size_t>(c.type)]);
  c.type = static_cast<AveragingType>(std::find(names.begin(), names.end(), name) - names.begin());
  c.decay = r.number_in("decay", 0, 0.999999, c.decay);
  c.start = r.number_in("start", 0, 0.999999, c.start);
  r.finish();
  return c;
}

Json to_json(const AveragingConfig& c) {
  Json j;
  j["type"] = averaging_names()[static_cast<std::size_t>(c.type)];
  if (c.type == AveragingType::ema) j["decay"] = c.decay;
  if (c.type == AveragingType::tail) j["start"] = c.start;
  return j;
}

WeightAverage::WeightAverage(const AveragingConfig& config, std::size_t size, std::int64_t total_steps)
    : config_(config), first_step_(static_cast<std::int64_t>(config.start * static_cast<double>(total_steps))) {
  if (active()) values_.assign(size, 0.0f);
}

double WeightAverage::share(std::int64_t step) const noexcept {
  if (config_.type == AveragingType::tail)
    return step <= first_step_ ? 1 : 1 / static_cast<double>(step - first_step_ + 1);
  if (step == 0) return 1;
  const auto t = static_cast<double>(step);
  return 1 - std::min(config_.decay, (1 + t) / (10 + t));
}

void WeightAverage::update(std::int64_t step, std::span<const float> weights, ThreadPool& pool) noexcept {
  if (!active()) return;
  constexpr std::size_t piece = 1 << 15;
  const auto part = static_cast<float>(share(step));
  const std::size_t pieces = (values_.size() + piece - 1) / piece;
  pool.run(static_cast<Index>(pieces), [&](Index i, int) {
    const std::size_t first = static_cast<std::size_t>(i) * piece, last = std::min(values_.size(), first + piece);
    if (part == 1) {
      std::copy(weights.data() + first, weights.data() + last, values_.data() + first);
      return;
    }
    for (std::size_t k = first; k < last; ++k) values_[k] += part * (weights[k] - values_[k]);
  });
}

}  // namespace serene
