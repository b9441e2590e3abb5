#include "serene/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace serene {

namespace {

constexpr Index range_size = 16384;

const std::vector<std::string> type_names = {"sgd", "adam", "adamw", "rmsprop"};
const std::vector<std::string> variant_names = {"keras", "torch"};

template <class Enum>
Enum enum_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<Enum>(std::find(names.begin(), names.end(), name) - names.begin());
}

template <class Enum>
const std::string& name_of(const std::vector<std::string>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

// Eight accumulators: a fixed order of additions that the compiler can put into vector registers.
template <class S>
double sum_of_squares(const S* x, Index n) noexcept {
  constexpr Index lanes = 8;
  double sums[lanes] = {};
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (Index k = 0; k < lanes; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// The numbers of one step, rounded to S once. p, g and the state point at the range.
template <class S>
struct Work {
  Index n;
  S* __restrict p;
  const S* __restrict g;
  S* __restrict first;
  S* __restrict second;
  S rate, scale, decay;  // decay = lr wd, or 0
};

template <class S>
void decay_values(const Work<S>& w) noexcept {
  for (Index i = 0; i < w.n; ++i) w.p[i] -= w.decay * w.p[i];
}

template <class S>
void plain_sgd(const Work<S>& w) noexcept {
  for (Index i = 0; i < w.n; ++i) w.p[i] -= w.rate * (w.scale * w.g[i]);
}

// unit: what a gradient adds to the velocity (keras -lr, torch 1); gain: what the velocity adds to p (1, -lr).
template <class S>
void momentum_sgd(const Work<S>& w, S momentum, S unit, S gain, bool nesterov) noexcept {
  const S from_velocity = nesterov ? momentum * gain : gain;
  const S from_gradient = nesterov ? unit * gain : S(0);
  for (Index i = 0; i < w.n; ++i) {
    const S g = w.scale * w.g[i];
    const S v = momentum * w.first[i] + unit * g;
    w.first[i] = v;
    w.p[i] += from_velocity * v + from_gradient * g;
  }
}

// p -= rate m / (root_scale sqrt(v) + epsilon)
template <class S>
void adam(const Work<S>& w, const OptimizerConfig& c, S rate, S root_scale) noexcept {
  const S b1 = static_cast<S>(c.beta_1), a1 = static_cast<S>(1 - c.beta_1);
  const S b2 = static_cast<S>(c.beta_2), a2 = static_cast<S>(1 - c.beta_2);
  const S epsilon = static_cast<S>(c.epsilon);
  for (Index i = 0; i < w.n; ++i) {
    const S g = w.scale * w.g[i];
    const S m = b1 * w.first[i] + a1 * g;
    const S v = b2 * w.second[i] + a2 * (g * g);
    w.first[i] = m;
    w.second[i] = v;
    w.p[i] -= rate * m / (root_scale * std::sqrt(v) + epsilon);
  }
}

template <class S>
void rmsprop(const Work<S>& w, const OptimizerConfig& c) noexcept {
  const bool keras = c.variant == OptimizerVariant::keras;
  const S rho = static_cast<S>(c.rho), a = static_cast<S>(1 - c.rho), momentum = static_cast<S>(c.momentum);
  const S inside = static_cast<S>(keras ? c.epsilon : 0), outside = static_cast<S>(keras ? 0 : c.epsilon);
  const S unit = keras ? w.rate : S(1), gain = keras ? S(1) : w.rate;
  for (Index i = 0; i < w.n; ++i) {
    const S g = w.scale * w.g[i];
    const S v = rho * w.second[i] + a * (g * g);
    const S k = momentum * w.first[i] + unit * g / (std::sqrt(v + inside) + outside);
    w.second[i] = v;
    w.first[i] = k;
    w.p[i] -= gain * k;
  }
}

void check(const OptimizerConfig& c) {
  const auto fail = [](const char* key, const char* expected, double got) {
    throw Error(ErrorCode::usage, key, "out of range").expected(expected).got(Json(got).dump());
  };
  const auto below_one = [&](const char* key, double v) {
    if (!(v >= 0 && v < 1)) fail(key, "0 to below 1", v);
  };
  below_one("beta_1", c.beta_1);
  below_one("beta_2", c.beta_2);
  below_one("rho", c.rho);
  below_one("momentum", c.momentum);
  // Below this a float would flush epsilon to zero and 0 / 0 would follow.
  if (!(c.epsilon >= 1e-30 && c.epsilon <= 1)) fail("epsilon", "1e-30 to 1", c.epsilon);
  if (!(c.weight_decay >= 0 && c.weight_decay <= 100)) fail("weight_decay", "0 to 100", c.weight_decay);
  if (!(c.clip_norm >= 0 && std::isfinite(c.clip_norm))) fail("clip_norm", "0 or more", c.clip_norm);
  if (!(c.learning_rate >= 0 && c.learning_rate <= 1000)) fail("learning_rate", "0 to 1000", c.learning_rate);
}

}  // namespace

OptimizerConfig optimizer_from_json(JsonReader r) {
  OptimizerConfig c;
  c.type = enum_of<OptimizerType>(type_names, r.choice("type", type_names, name_of(type_names, c.type)));
  c.variant = enum_of<OptimizerVariant>(variant_names, r.choice("variant", variant_names, "keras"));
  const bool torch = c.variant == OptimizerVariant::torch;
  const double adamw_decay = torch ? 0.01 : 0.004;
  c.learning_rate = r.number("learning_rate", c.learning_rate);
  c.beta_1 = r.number("beta_1", c.beta_1);
  c.beta_2 = r.number("beta_2", c.beta_2);
  c.epsilon = r.number("epsilon", torch ? 1e-8 : 1e-7);
  c.momentum = r.number("momentum", c.momentum);
  c.nesterov = r.boolean("nesterov", c.nesterov);
  c.rho = r.number("rho", c.rho);
  c.weight_decay = r.number("weight_decay", c.type == OptimizerType::adamw ? adamw_decay : 0.0);
  c.clip_norm = r.number("clip_norm", c.clip_norm);
  r.finish();
  try {
    check(c);
  } catch (const Error& e) {
    throw r.error(e.where(), std::string(e.what()).substr(e.where().size() + 2));
  }
  return c;
}

Json to_json(const OptimizerConfig& c) {
  Json j;
  j["type"] = name_of(type_names, c.type);
  j["variant"] = name_of(variant_names, c.variant);
  j["learning_rate"] = c.learning_rate;
  if (c.type == OptimizerType::adam || c.type == OptimizerType::adamw) {
    j["beta_1"] = c.beta_1;
    j["beta_2"] = c.beta_2;
  }
  if (c.type == OptimizerType::rmsprop) j["rho"] = c.rho;
  if (c.type != OptimizerType::sgd) j["epsilon"] = c.epsilon;
  if (c.type == OptimizerType::sgd || c.type == OptimizerType::rmsprop) j["momentum"] = c.momentum;
  if (c.type == OptimizerType::sgd) j["nesterov"] = c.nesterov;
  j["weight_decay"] = c.weight_decay;
  j["clip_norm"] = c.clip_norm;
  return j;
}

template <class S>
Optimizer<S>::Optimizer(const OptimizerConfig& config, const ParameterLayout& layout) : config_(config) {
  check(config);
  for (const ParameterEntry& entry : layout.entries) {
    if (!entry.spec.trainable) continue;
    const Index end = entry.offset + entry.spec.size();
    if (entry.offset < 0 || end > layout.size) throw Error(ErrorCode::internal, entry.name, "lies outside the layout");
    for (Index at = entry.offset; at < end; at += range_size) {
      ranges_.push_back({at, std::min(range_size, end - at), entry.spec.decay});
    }
  }
  square_sums_.resize(ranges_.size());
  const auto size = static_cast<std::size_t>(layout.size);
  if (config.type != OptimizerType::sgd || config.momentum > 0) first_.resize(size);
  if (config.type != OptimizerType::sgd) second_.resize(size);
}

template <class S>
double Optimizer<S>::step(S* values, const S* gradients, double learning_rate, ThreadPool& pool) noexcept {
  const Index count = static_cast<Index>(ranges_.size());
  pool.run(count, [&](Index i, int) {
    const Range& range = ranges_[static_cast<std::size_t>(i)];
    square_sums_[static_cast<std::size_t>(i)] = sum_of_squares(gradients + range.offset, range.size);
  });
  double sum = 0;
  for (const double part : square_sums_) sum += part;
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) return norm;

  ++steps_;
  const double scale = config_.clip_norm > 0 ? config_.clip_norm / std::max(norm, config_.clip_norm) : 1.0;
  pool.run(count, [&](Index i, int) {
    update(ranges_[static_cast<std::size_t>(i)], values, gradients, learning_rate, scale);
  });
  return norm;
}

template <class S>
void Optimizer<S>::update(const Range& range, S* values, const S* gradients, double learning_rate,
                          double scale) noexcept {
  const Work<S> w{range.size,
                  values + range.offset,
                  gradients + range.offset,
                  first_.empty() ? nullptr : first_.data() + range.offset,
                  second_.empty() ? nullptr : second_.data() + range.offset,
                  static_cast<S>(learning_rate),
                  static_cast<S>(scale),
                  static_cast<S>(range.decay ? learning_rate * config_.weight_decay : 0.0)};
  if (w.decay != S(0)) decay_values(w);
  const bool keras = config_.variant == OptimizerVariant::keras;
  switch (config_.type) {
    case OptimizerType::sgd:
      if (first_.empty()) return plain_sgd(w);
      return momentum_sgd(w, static_cast<S>(config_.momentum), keras ? -w.rate : S(1), keras ? S(1) : -w.rate,
                          config_.nesterov);
    case OptimizerType::adam:
    case OptimizerType::adamw: {
      const double t = static_cast<double>(steps_);
      const double correction_1 = 1 - std::pow(config_.beta_1, t);
      const double root_2 = std::sqrt(1 - std::pow(config_.beta_2, t));
      return keras ? adam(w, config_, static_cast<S>(learning_rate * root_2 / correction_1), S(1))
                   : adam(w, config_, static_cast<S>(learning_rate / correction_1), static_cast<S>(1 / root_2));
    }
    case OptimizerType::rmsprop:
      return rmsprop(w, config_);
  }
}

template <class S>
std::vector<OptimizerSlot<S>> Optimizer<S>::slots() {
  std::vector<OptimizerSlot<S>> result;
  const bool is_adam = config_.type == OptimizerType::adam || config_.type == OptimizerType::adamw;
  if (!first_.empty()) result.push_back({is_adam ? "m" : "velocity", first_});
  if (!second_.empty()) result.push_back({"v", second_});
  return result;
}

template <class S>
std::vector<OptimizerSlot<const S>> Optimizer<S>::slots() const {
  std::vector<OptimizerSlot<const S>> result;
  for (const OptimizerSlot<S>& slot : const_cast<Optimizer*>(this)->slots()) result.push_back({slot.name, slot.values});
  return result;
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace serene
