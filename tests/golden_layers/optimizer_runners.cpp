// Optimizers, clipping and schedules against the reference trajectories.
#include <cmath>
#include <string>
#include <vector>

#include "golden_case.h"
#include "serene/train/optimizer.h"
#include "serene/train/schedule.h"

namespace serene::golden {
namespace {

double number_or(const GoldenCase& c, const std::string& key, double fallback) {
  return c.hyper.contains(key) ? c.number(key) : fallback;
}

Index integer_or(const GoldenCase& c, const std::string& key, Index fallback) {
  return c.hyper.contains(key) ? c.integer(key) : fallback;
}

// Named tensors in one flat vector, gaps of the layout included.
template <class S>
struct FlatTensors {
  ParameterLayout layout;
  std::vector<S> values, gradients;

  void add(const std::string& name, std::vector<Index> shape) {
    ParameterEntry entry;
    entry.name = name;
    entry.spec.name = name;
    entry.spec.shape = std::move(shape);
    entry.offset = layout.size;
    layout.size += (entry.spec.size() + 15) / 16 * 16;
    layout.entries.push_back(entry);
    values.resize(static_cast<std::size_t>(layout.size));
    gradients.resize(static_cast<std::size_t>(layout.size));
  }
  Index offset(const std::string& name) const {
    for (const ParameterEntry& e : layout.entries) {
      if (e.name == name) return e.offset;
    }
    throw Error(ErrorCode::input, name, "no such tensor");
  }
  S* value(const std::string& name) { return values.data() + offset(name); }
  S* gradient(const std::string& name) { return gradients.data() + offset(name); }
};

OptimizerConfig config_of(const GoldenCase& c) {
  const std::string name = c.text("optimizer");
  Json j;
  for (const char* type : {"sgd", "rmsprop", "adam", "adamw"}) {
    if (name.starts_with(type)) j["type"] = type;
  }
  if (name.find("torch") != std::string::npos) j["variant"] = "torch";
  if (name.find("nesterov") != std::string::npos) j["nesterov"] = true;
  for (const char* key : {"variant", "beta_1", "beta_2", "epsilon", "momentum", "nesterov", "rho", "weight_decay"}) {
    if (c.hyper.contains(key) && !c.hyper.at(key).is_null()) j[key] = c.hyper.at(key);
  }
  j["learning_rate"] = c.number("lr");
  j["clip_norm"] = number_or(c, "global_clipnorm", number_or(c, "clip_norm", 0));
  return optimizer_from_json(JsonReader(j, c.name));
}

// 0.5 w'Aw - b'w
template <class S>
double quad(const GoldenCase& c, FlatTensors<S>& t) {
  const std::vector<S> a = c.get<S>("aux.A"), b = c.get<S>("aux.b");
  const std::size_t n = b.size();
  const S* w = t.value("w");
  S* gradient = t.gradient("w");
  double loss = 0;
  for (std::size_t i = 0; i < n; ++i) {
    S row = 0, both = 0;
    for (std::size_t j = 0; j < n; ++j) {
      row += a[i * n + j] * w[j];
      both += (a[i * n + j] + a[j * n + i]) * w[j];
    }
    gradient[i] = both / 2 - b[i];
    loss += static_cast<double>(w[i] * (row / 2 - b[i]));
  }
  return loss;
}

// Softmax in place; returns the loss of the label and leaves its gradient.
template <class S>
double cross_entropy(std::vector<S>& z, std::size_t label) {
  S highest = z[0], sum = 0;
  for (const S v : z) highest = std::max(highest, v);
  for (const S v : z) sum += std::exp(v - highest);
  const double loss = static_cast<double>(std::log(sum) + highest - z[label]);
  for (S& v : z) v = std::exp(v - highest) / sum;
  z[label] -= 1;
  return loss;
}

// Mean cross-entropy of tanh(X W1 + b1) W2 + b2
template <class S>
double net(const GoldenCase& c, FlatTensors<S>& t) {
  const std::vector<S> all = c.get<S>("aux.X");
  const auto labels = c.get<std::size_t>("aux.labels");
  const auto& w1_shape = c.tensor("traj.W1").shape;
  const auto in = static_cast<std::size_t>(w1_shape[1]), hidden = static_cast<std::size_t>(w1_shape[2]);
  const auto out = static_cast<std::size_t>(c.tensor("traj.W2").shape[2]);
  const S *w1 = t.value("W1"), *b1 = t.value("b1"), *w2 = t.value("W2"), *b2 = t.value("b2");
  S *g1 = t.gradient("W1"), *gb1 = t.gradient("b1"), *g2 = t.gradient("W2"), *gb2 = t.gradient("b2");
  std::fill(t.gradients.begin(), t.gradients.end(), S(0));
  double loss = 0;
  for (std::size_t s = 0; s < labels.size(); ++s) {
    const S* x = all.data() + s * in;
    std::vector<S> h(b1, b1 + hidden), z(b2, b2 + out);
    for (std::size_t i = 0; i < in; ++i) {
      for (std::size_t j = 0; j < hidden; ++j) h[j] += x[i] * w1[i * hidden + j];
    }
    for (std::size_t j = 0; j < hidden; ++j) {
      h[j] = std::tanh(h[j]);
      for (std::size_t k = 0; k < out; ++k) z[k] += h[j] * w2[j * out + k];
    }
    loss += cross_entropy(z, labels[s]) / static_cast<double>(labels.size());
    for (S& v : z) v /= static_cast<S>(labels.size());
    for (std::size_t k = 0; k < out; ++k) gb2[k] += z[k];
    for (std::size_t j = 0; j < hidden; ++j) {
      S dh = 0;
      for (std::size_t k = 0; k < out; ++k) {
        g2[j * out + k] += h[j] * z[k];
        dh += w2[j * out + k] * z[k];
      }
      dh *= 1 - h[j] * h[j];
      gb1[j] += dh;
      for (std::size_t i = 0; i < in; ++i) g1[i * hidden + j] += x[i] * dh;
    }
  }
  return loss;
}

// Compares values with slice `at` of the tensor `name`, whose first axis is time.
template <class S>
void compare_slice(const GoldenCase& c, GoldenCheck<S>& check, const std::string& name, Index at, const S* got,
                   Index size) {
  const std::vector<double>& all = c.tensor(name).values;
  for (Index i = 0; i < size; ++i) {
    check.add(name, at * size + i, static_cast<double>(got[i]), all.at(static_cast<std::size_t>(at * size + i)));
  }
}

template <class S>
void run_optimizer(const GoldenCase& c, GoldenCheck<S>& check) {
  const std::string problem = c.text("problem");
  if (problem != "quad" && problem != "net") throw Error(ErrorCode::input, c.name, "unknown problem " + problem);
  FlatTensors<S> t;
  for (const auto& [name, tensor] : c.tensors) {
    if (!name.starts_with("traj.")) continue;
    t.add(name.substr(5), std::vector<Index>(tensor.shape.begin() + 1, tensor.shape.end()));
    const ParameterEntry& entry = t.layout.entries.back();
    for (Index i = 0; i < entry.spec.size(); ++i) {
      t.values[static_cast<std::size_t>(entry.offset + i)] = static_cast<S>(tensor.values[static_cast<std::size_t>(i)]);
    }
  }
  const OptimizerConfig config = config_of(c);
  Optimizer<S> optimizer(config, t.layout);
  ThreadPool pool(1);
  for (Index step = 0; step < c.integer("steps"); ++step) {
    const double loss = problem == "quad" ? quad(c, t) : net(c, t);
    check.add("out.loss", step, loss, c.tensor("out.loss").values.at(static_cast<std::size_t>(step)));
    for (const ParameterEntry& e : t.layout.entries) {
      compare_slice(c, check, "grad." + e.name, step, t.gradient(e.name), e.spec.size());
    }
    optimizer.step(t.values.data(), t.gradients.data(), config.learning_rate, pool);
    for (const ParameterEntry& e : t.layout.entries) {
      compare_slice(c, check, "traj." + e.name, step + 1, t.value(e.name), e.spec.size());
    }
  }
}

// A step of plain SGD with rate 1 from zero leaves minus the clipped gradient.
template <class S>
void run_clip_global_norm(const GoldenCase& c, GoldenCheck<S>& check) {
  FlatTensors<S> t;
  for (const auto& [name, tensor] : c.tensors) {
    if (!name.starts_with("in.")) continue;
    t.add(name.substr(3), tensor.shape);
    const std::vector<S> g = c.get<S>(name);
    std::copy(g.begin(), g.end(), t.gradient(name.substr(3)));
  }
  OptimizerConfig config;
  config.type = OptimizerType::sgd;
  config.clip_norm = c.number("clip_norm");
  Optimizer<S> optimizer(config, t.layout);
  ThreadPool pool(1);
  const double norm = optimizer.step(t.values.data(), t.gradients.data(), 1.0, pool);
  for (S& v : t.values) v = -v;
  for (const ParameterEntry& e : t.layout.entries) check.equal("out." + e.name, t.value(e.name), e.spec.size());
  check.equal("out.global_norm", &norm, 1);
}

template <class S>
void run_cosine_warmup(const GoldenCase& c, GoldenCheck<S>& check) {
  std::vector<double> rates(c.tensor("out.lr").values.size());
  for (std::size_t s = 0; s < rates.size(); ++s) {
    rates[s] =
        cosine_warmup(static_cast<std::int64_t>(s), number_or(c, "initial_learning_rate", 0), c.number("warmup_target"),
                      integer_or(c, "warmup_steps", 0), c.integer("decay_steps"), number_or(c, "alpha", 0));
  }
  check.equal("out.lr", rates.data(), static_cast<Index>(rates.size()));
}

template <class S>
void run_reduce_on_plateau(const GoldenCase& c, GoldenCheck<S>& check) {
  const std::string mode = c.hyper.contains("mode") ? c.text("mode") : "min";
  if (mode != "min" && mode != "max") throw Error(ErrorCode::input, c.name, "unknown mode " + mode);
  ReduceOnPlateau plateau(c.number("lr"), number_or(c, "factor", 0.1), integer_or(c, "patience", 10),
                          number_or(c, "min_delta", 1e-4), integer_or(c, "cooldown", 0), number_or(c, "min_lr", 0),
                          mode == "max");
  std::vector<double> rates;
  for (const double metric : c.tensor("in.metric").values) rates.push_back(plateau.update(metric));
  check.equal("out.lr", rates.data(), static_cast<Index>(rates.size()));
}

const RegisterRunner optimizer("Optimizer", run_optimizer<double>, run_optimizer<float>);
const RegisterRunner clip("ClipGlobalNorm", run_clip_global_norm<double>, run_clip_global_norm<float>);
const RegisterRunner cosine("CosineWarmup", run_cosine_warmup<double>, run_cosine_warmup<float>);
const RegisterRunner plateau("ReduceLROnPlateau", run_reduce_on_plateau<double>, run_reduce_on_plateau<float>);

}  // namespace
}  // namespace serene::golden
