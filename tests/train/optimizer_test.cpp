#include "serene/train/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "serene/core/random.h"

using namespace serene;

namespace {

// Three entries with gaps between them: a kernel that decays, a bias that does not, and statistics that are not
// trained.
ParameterLayout layout_of(Index kernel = 40000) {
  ParameterLayout layout;
  const auto add = [&](const char* name, Index size, bool trainable, bool decay) {
    ParameterEntry e;
    e.name = name;
    e.spec.name = name;
    e.spec.shape = {size};
    e.spec.trainable = trainable;
    e.spec.decay = decay;
    e.offset = layout.size;
    layout.size += (size + 15) / 16 * 16;
    layout.entries.push_back(e);
  };
  add("kernel", kernel, true, true);
  add("bias", 5, true, false);
  add("mean", 7, false, false);
  add("last", 100, true, false);
  return layout;
}

template <class S>
std::vector<S> noise(Index n, std::uint64_t a) {
  Random random(1, Purpose::test, a);
  std::vector<S> x(static_cast<std::size_t>(n));
  for (S& v : x) v = static_cast<S>(random.normal());
  return x;
}

OptimizerConfig config(const std::string& json) {
  const Json j = parse_json(json, "optimizer");
  return optimizer_from_json(JsonReader(j, "optimizer"));
}

const std::vector<std::string> all_kinds = {
    R"({"type": "sgd"})",
    R"({"type": "sgd", "momentum": 0.9, "clip_norm": 1})",
    R"({"type": "sgd", "momentum": 0.9, "nesterov": true, "variant": "torch", "weight_decay": 0.1})",
    R"({"type": "adam"})",
    R"({"type": "adam", "variant": "torch", "clip_norm": 0.5})",
    R"({"type": "adamw"})",
    R"({"type": "adamw", "variant": "torch"})",
    R"({"type": "rmsprop"})",
    R"({"type": "rmsprop", "momentum": 0.9, "variant": "torch"})"};

// Five steps with gradients that depend on the step; returns the values.
template <class S>
std::vector<S> five_steps(Optimizer<S>& o, const ParameterLayout& layout, std::vector<S> values, int threads,
                          int from = 0, int to = 5) {
  ThreadPool pool(threads);
  for (int i = from; i < to; ++i) {
    const std::vector<S> g = noise<S>(layout.size, 100 + static_cast<std::uint64_t>(i));
    o.step(values.data(), g.data(), 0.01 / (1 + i), pool);
  }
  return values;
}

template <class S>
bool same_bytes(const std::vector<S>& a, const std::vector<S>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(S)) == 0;
}

}  // namespace

TEST_CASE_TEMPLATE("optimizer: the same bytes for any number of threads", S, float, double) {
  const ParameterLayout layout = layout_of();
  const std::vector<S> start = noise<S>(layout.size, 1);
  for (const std::string& kind : all_kinds) {
    INFO(kind);
    Optimizer<S> one(config(kind), layout), two(config(kind), layout), five(config(kind), layout);
    const std::vector<S> expected = five_steps(one, layout, start, 1);
    CHECK_FALSE(same_bytes(expected, start));
    CHECK(same_bytes(five_steps(two, layout, start, 2), expected));
    CHECK(same_bytes(five_steps(five, layout, start, 5), expected));
    CHECK(one.steps() == 5);
  }
}

TEST_CASE_TEMPLATE("optimizer: state saved and restored continues exactly", S, float, double) {
  const ParameterLayout layout = layout_of(300);
  const std::vector<S> start = noise<S>(layout.size, 1);
  for (const std::string& kind : all_kinds) {
    INFO(kind);
    Optimizer<S> whole(config(kind), layout), first(config(kind), layout), second(config(kind), layout);
    const std::vector<S> expected = five_steps(whole, layout, start, 1);
    const std::vector<S> half = five_steps(first, layout, start, 1, 0, 3);
    const Optimizer<S>& saved = first;
    const auto from = saved.slots();
    auto to = second.slots();
    REQUIRE(from.size() == to.size());
    for (std::size_t i = 0; i < to.size(); ++i) {
      CHECK(from[i].name == to[i].name);
      REQUIRE(static_cast<Index>(from[i].values.size()) == layout.size);
      std::copy(from[i].values.begin(), from[i].values.end(), to[i].values.begin());
    }
    second.set_steps(saved.steps());
    CHECK(same_bytes(five_steps(second, layout, half, 1, 3, 5), expected));
  }
}

TEST_CASE("optimizer: only trained entries change, gaps stay zero, decay leaves biases alone") {
  const ParameterLayout layout = layout_of(20);
  const auto zero = std::vector<double>(static_cast<std::size_t>(layout.size));
  for (const std::string& kind : all_kinds) {
    INFO(kind);
    Optimizer<double> o(config(kind), layout);
    std::vector<double> values(zero.size(), 3.0);
    const std::vector<double> g(zero.size(), 1.0);
    ThreadPool pool(1);
    o.step(values.data(), g.data(), 0.01, pool);
    std::vector<bool> trained(zero.size());
    for (const ParameterEntry& e : layout.entries) {
      for (Index i = 0; i < e.spec.size() && e.spec.trainable; ++i)
        trained[static_cast<std::size_t>(e.offset + i)] = true;
    }
    for (std::size_t i = 0; i < values.size(); ++i) CHECK((values[i] != 3.0) == trained[i]);
  }
  Optimizer<double> o(config(R"({"type": "adamw", "weight_decay": 0.5})"), layout);
  std::vector<double> values(zero.size(), 2.0);
  ThreadPool pool(1);
  o.step(values.data(), zero.data(), 0.1, pool);
  CHECK(values[0] == doctest::Approx(2.0 - 0.1 * 0.5 * 2.0));
  CHECK(values[static_cast<std::size_t>(layout.entries[1].offset)] == 2.0);
}

TEST_CASE("optimizer: first steps by hand") {
  ParameterLayout layout = layout_of(1);
  layout.entries.resize(1);
  ThreadPool pool(1);
  const auto after = [&](const std::string& json, int steps) {
    Optimizer<double> o(config(json), layout);
    std::vector<double> p(static_cast<std::size_t>(layout.size)), g(p.size());
    p[0] = 1;
    g[0] = 4;
    for (int i = 0; i < steps; ++i) CHECK(o.step(p.data(), g.data(), 0.1, pool) == 4.0);
    return p[0];
  };
  CHECK(after(R"({"type": "sgd"})", 1) == doctest::Approx(0.6));
  CHECK(after(R"({"type": "sgd", "momentum": 0.5})", 2) == doctest::Approx(1 - 0.4 - 0.6));
  CHECK(after(R"({"type": "sgd", "momentum": 0.5, "variant": "torch"})", 2) == doctest::Approx(1 - 0.4 - 0.6));
  CHECK(after(R"({"type": "sgd", "momentum": 0.5, "nesterov": true})", 1) == doctest::Approx(1 - 0.5 * 0.4 - 0.4));
  CHECK(after(R"({"type": "sgd", "clip_norm": 2})", 1) == doctest::Approx(0.8));
  CHECK(after(R"({"type": "sgd", "clip_norm": 8})", 1) == doctest::Approx(0.6));
  // A bias-corrected Adam moves by the learning rate while the gradient stays the same.
  CHECK(after(R"({"type": "adam", "variant": "torch"})", 3) == doctest::Approx(0.7).epsilon(1e-6));
  // At the first step Keras' epsilon weighs 1 / sqrt(1 - b2) as much as PyTorch's.
  CHECK(after(R"({"type": "adam", "epsilon": 0.1})", 1) ==
        doctest::Approx(1 - 0.1 * std::sqrt(0.001) * 4 / (4 * std::sqrt(0.001) + 0.1)));
  CHECK(after(R"({"type": "rmsprop", "rho": 0.75})", 1) == doctest::Approx(0.8).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("optimizer: a gradient that is not finite changes nothing and is reported", S, float, double) {
  const ParameterLayout layout = layout_of(100);
  ThreadPool pool(2);
  for (const S bad : {std::numeric_limits<S>::quiet_NaN(), std::numeric_limits<S>::infinity()}) {
    for (const std::string& kind : all_kinds) {
      Optimizer<S> o(config(kind), layout);
      std::vector<S> values = noise<S>(layout.size, 1), g = noise<S>(layout.size, 2);
      o.step(values.data(), g.data(), 0.1, pool);
      const std::vector<S> before = values;
      std::vector<std::vector<S>> state;
      for (const auto& slot : o.slots()) state.emplace_back(slot.values.begin(), slot.values.end());
      g[50] = bad;
      CHECK_FALSE(std::isfinite(o.step(values.data(), g.data(), 0.1, pool)));
      CHECK(same_bytes(values, before));
      CHECK(o.steps() == 1);
      std::size_t i = 0;
      for (const auto& slot : o.slots())
        CHECK(same_bytes(std::vector<S>(slot.values.begin(), slot.values.end()), state[i++]));
      // Statistics that are not trained may hold anything in their gradient.
      g[50] = 0;
      g[static_cast<std::size_t>(layout.entries[2].offset)] = bad;
      CHECK(std::isfinite(o.step(values.data(), g.data(), 0.1, pool)));
    }
  }
}

TEST_CASE_TEMPLATE("optimizer: zero gradients and huge ones give finite values", S, float, double) {
  const ParameterLayout layout = layout_of(50);
  ThreadPool pool(1);
  for (const std::string& kind : all_kinds) {
    INFO(kind);
    for (const S size : {S(0), S(1e-30), S(1e15)}) {
      Optimizer<S> o(config(kind), layout);
      std::vector<S> values = noise<S>(layout.size, 1), g(values.size(), size);
      for (int i = 0; i < 3; ++i) o.step(values.data(), g.data(), 1e-3, pool);
      bool finite = true;
      for (const S v : values) finite = finite && std::isfinite(v);
      CHECK(finite);
    }
  }
}

TEST_CASE("optimizer: config from JSON and back") {
  for (const std::string& kind : all_kinds) {
    const Json written = to_json(config(kind));
    CHECK(to_json(config(written.dump())).dump() == written.dump());
  }
  CHECK(config("{}").type == OptimizerType::adam);
  CHECK(config("{}").epsilon == 1e-7);
  CHECK(config(R"({"variant": "torch"})").epsilon == 1e-8);
  CHECK(config(R"({"type": "adamw"})").weight_decay == 0.004);
  CHECK(config(R"({"type": "adamw", "variant": "torch"})").weight_decay == 0.01);
  CHECK(config(R"({"type": "adamw", "weight_decay": 0})").weight_decay == 0);
  for (const char* bad : {R"({"type": "adma"})", R"({"lr": 1})", R"({"beta_1": 1})", R"({"beta_2": -0.1})",
                          R"({"epsilon": 0})", R"({"momentum": 1})", R"({"rho": 1})", R"({"weight_decay": -1})",
                          R"({"clip_norm": -1})", R"({"learning_rate": -1})", R"({"nesterov": 1})"}) {
    INFO(bad);
    CHECK_THROWS_AS(config(bad), Error);
  }
  OptimizerConfig broken;
  broken.epsilon = 0;
  CHECK_THROWS_AS(Optimizer<float>(broken, layout_of(3)), Error);
}
