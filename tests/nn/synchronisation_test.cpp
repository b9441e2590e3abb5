// Batch norm in blocks: passes that stop at synchronisation points inside residual and highway blocks, in blocks of
// blocks, at the beginning and at the end of a block, beside dropout and drop path.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "call_counter.h"
#include "model_fixture.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/executor.h"
#include "serene/nn/gradient_check.h"
#include "serene/nn/model_builder.h"
#include "serene/nn/residual.h"

namespace serene {
namespace {

using test::TestBatch;

constexpr Index kChannels = 6, kClasses = 3;

Json blocks_graph() {
  return parse_json(R"({"layers": [
    {"type": "residual", "name": "first", "activation": "tanh", "layers": [
        {"type": "residual", "name": "inner", "layers": [
          {"type": "batch_norm", "name": "bn", "momentum": 0.6},
          {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 3, "padding": "same"},
          {"type": "batch_norm", "name": "bn2", "momentum": 0.9, "channels": 2}]},
        {"type": "activation", "name": "bend", "activation": "tanh"},
        {"type": "conv1d", "name": "halve", "filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}],
      "shortcut": [
        {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 1, "strides": 2, "padding": "same"},
        {"type": "batch_norm", "name": "bn", "momentum": 0.5}]},
    {"type": "batch_norm", "name": "between"},
    {"type": "batch_norm", "name": "twice"},
    {"type": "highway", "name": "gated", "layers": [
      {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "gelu"},
      {"type": "batch_norm", "name": "bn"}]},
    {"type": "dropout", "name": "drop", "rate": 0.2},
    {"type": "residual", "name": "last", "drop_path": 0.3, "layers": [
      {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 3, "padding": "same"},
      {"type": "dropout", "name": "drop", "rate": 0.2},
      {"type": "batch_norm", "name": "bn"}]},
    {"type": "gru", "name": "gru", "units": 4, "return_sequences": false},
    {"type": "dense", "name": "out", "units": "classes"}]})",
                    "blocks");
}

// Two shards of 3 and one of 1, one without a valid frame but in its neighbour.
const std::vector<Index> kLengths = {17, 9, 13, 0, 0, 0, 5};

template <class S>
struct Passes {
  std::vector<S> logits, grads, dx, params;
};

template <class S>
Passes<S> training_passes(const Model<S>& model, const TestBatch<S>& batch, Index shard, int threads) {
  Passes<S> r;
  r.params = test::test_params(model, 5);
  ThreadPool pool(threads);
  Executor<S> run(model,
                  {.mode = Mode::training,
                   .max_batch = batch.shape.batch + 1,
                   .max_time = batch.shape.time + 2,
                   .shard = shard,
                   .input_gradient = true},
                  pool);
  for (std::uint64_t step : {1, 2}) {  // the second finds nothing that the first left behind
    const auto y = run.forward(r.params, batch.view(), 9, step);
    r.logits.assign(y.data, y.data + y.shape.size());
    const auto g = run.backward(test::normal_vector<S>(3, y.shape.size()).data());
    r.grads.assign(g.begin(), g.end());
    const auto dx = run.input_gradient();
    r.dx.assign(dx.data, dx.data + dx.shape.size());
    run.commit(r.params);
  }
  return r;
}

template <class S, class Check>
void for_parts(const Passes<S>& a, const Passes<S>& b, Check&& check) {
  check("logits", a.logits, b.logits);
  check("gradients", a.grads, b.grads);
  check("gradient of the input", a.dx, b.dx);
  check("parameters after commit", a.params, b.params);
}

const ParameterEntry& entry_of(const Model<double>& model, const std::string& name) {
  const auto& all = model.layout().entries;
  const auto found = std::find_if(all.begin(), all.end(), [&](const ParameterEntry& e) { return e.name == name; });
  REQUIRE_MESSAGE(found != all.end(), name);
  return *found;
}

}  // namespace

TEST_CASE("synchronisation: batch norm in blocks gives the same bits for 1, 2, 3 and 7 threads") {
  const auto model = build_model<float>(blocks_graph(), kChannels, kClasses);
  const TestBatch<float> batch(2, 17, kChannels, kLengths);
  const auto one = training_passes(model, batch, 3, 1);
  CHECK(std::any_of(one.grads.begin(), one.grads.end(), [](float g) { return g != 0; }));
  for (const int threads : {2, 3, 7}) {
    for_parts(one, training_passes(model, batch, 3, threads),
              [&](const char* what, const std::vector<float>& a, const std::vector<float>& b) {
                CHECK_MESSAGE(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0,
                              what << ", " << threads << " threads");
              });
  }
}

TEST_CASE("synchronisation: shards give what the whole batch as one shard gives") {
  const auto model = build_model<double>(blocks_graph(), kChannels, kClasses);
  const TestBatch<double> batch(2, 17, kChannels, kLengths);
  const auto whole = training_passes(model, batch, 7, 1);
  for (const Index shard : {1, 2, 3, 4}) {
    for_parts(whole, training_passes(model, batch, shard, 2),
              [&](const char* what, const std::vector<double>& a, const std::vector<double>& b) {
                double worst = 0;
                for (std::size_t i = 0; i < a.size(); ++i) {
                  const double error = std::abs(a[i] - b[i]) / (1 + std::abs(a[i]));
                  worst = std::isfinite(error) ? std::max(worst, error) : HUGE_VAL;
                }
                CHECK_MESSAGE(worst < 1e-12, what << ", shards of " << shard << ": " << worst);
              });
  }
}

TEST_CASE("synchronisation: gradients through blocks over several shards against central differences") {
  const auto model = build_model<double>(blocks_graph(), kChannels, kClasses);
  TestBatch<double> batch(2, 9, kChannels, {9, 4, 7, 1, 8});
  auto params = test::test_params(model, 5);
  const auto g = test::normal_vector<double>(3, batch.shape.batch * kClasses);
  ThreadPool pool(1);
  Executor<double> run(
      model, {.mode = Mode::training, .max_batch = 5, .max_time = 9, .shard = 2, .input_gradient = true}, pool);
  const auto loss = [&] {
    const auto y = run.forward(params, batch.view(), 9, 4);
    double sum = 0;
    for (std::size_t i = 0; i < g.size(); ++i) sum += y.data[i] * g[i];
    return sum;
  };
  loss();
  const auto computed = run.backward(g.data());
  const std::vector<double> grads(computed.begin(), computed.end());
  const auto in = run.input_gradient();
  const std::vector<double> dx(in.data, in.data + in.shape.size());
  GradientReport report;
  for (Index b = 0; b < batch.shape.batch; ++b) {
    const auto n = static_cast<std::size_t>(batch.lengths[static_cast<std::size_t>(b)] * kChannels);
    const Index at = b * 9 * kChannels;
    check_gradient("sample " + std::to_string(b), {batch.x.data() + at, n}, {dx.data() + at, n}, loss, report);
  }
  for (const ParameterEntry& e : model.layout().entries) {
    if (!e.spec.trainable) continue;
    const auto at = static_cast<std::size_t>(e.offset), n = static_cast<std::size_t>(e.spec.size());
    check_gradient(e.name, {params.data() + at, n}, {grads.data() + at, n}, loss, report);
  }
  CHECK_MESSAGE(report.below(1e-6),
                report.worst << " at " << report.worst_at << ": " << report.analytic << " against " << report.numeric);
}

TEST_CASE("synchronisation: commit moves the statistics of a block towards those of all valid frames") {
  const auto model = build_model<double>(blocks_graph(), kChannels, kClasses);
  const TestBatch<double> batch(2, 17, kChannels, kLengths);
  const auto before = test::test_params(model, 5);
  auto params = before;
  ThreadPool pool(2);
  Executor<double> run(model, {.mode = Mode::training, .max_batch = 7, .max_time = 17, .shard = 3}, pool);
  run.forward(params, batch.view(), 1, 1);
  run.commit(params);
  const auto& mean = entry_of(model, "first.inner.bn.moving_mean");
  const auto& variance = entry_of(model, "first.inner.bn.moving_variance");
  for (Index c = 0; c < kChannels; ++c) {  // the block's first layer sees the input itself
    double n = 0, sum = 0, squares = 0;
    const auto for_frames = [&](auto&& f) {
      for (Index b = 0; b < 7; ++b) {
        for (Index t = 0; t < kLengths[static_cast<std::size_t>(b)]; ++t) f(batch.view().frame(b, t)[c]);
      }
    };
    for_frames([&](double v) { n += 1, sum += v; });
    for_frames([&](double v) { squares += (v - sum / n) * (v - sum / n); });
    const auto m = static_cast<std::size_t>(mean.offset + c), v = static_cast<std::size_t>(variance.offset + c);
    CHECK(params[m] == doctest::Approx(0.6 * before[m] + 0.4 * sum / n).epsilon(1e-12));
    CHECK(params[v] == doctest::Approx(0.6 * before[v] + 0.4 * squares / n).epsilon(1e-12));
  }
  for (const ParameterEntry& e : model.layout().entries) {
    const bool same =
        std::equal(before.begin() + e.offset, before.begin() + e.offset + e.spec.size(), params.begin() + e.offset);
    CHECK_MESSAGE(same == e.spec.trainable, e.name);
  }
}

TEST_CASE("synchronisation: commit gives every batch norm of a block its own statistics") {
  const auto model = build_model<double>(parse_json(R"({"layers": [
    {"type": "residual", "name": "block", "layers": [
        {"type": "batch_norm", "name": "a", "momentum": 0}, {"type": "batch_norm", "name": "b", "momentum": 0}],
      "shortcut": [{"type": "batch_norm", "name": "c", "momentum": 0}, {"type": "batch_norm", "name": "d", "momentum": 0}]},
    {"type": "global_average_pooling1d", "name": "end"}]})",
                                                    "block"),
                                         2, 2);
  const TestBatch<double> batch(2, 9, 2, {9, 4, 7, 1, 8});
  auto params = test::test_params(model, 5);
  ThreadPool pool(1);
  Executor<double> run(model, {.mode = Mode::training, .max_batch = 5, .max_time = 9, .shard = 2}, pool);
  run.forward(params, batch.view(), 1, 1);
  run.commit(params);
  const auto value = [&](const std::string& name) {
    return params[static_cast<std::size_t>(entry_of(model, name).offset)];
  };
  CHECK(value("block.shortcut.c.moving_mean") == value("block.a.moving_mean"));  // both see the input
  for (const std::string path : {"block.a block.b", "block.shortcut.c block.shortcut.d"}) {
    const std::string first = path.substr(0, path.find(' ')), second = path.substr(path.find(' ') + 1);
    const double variance = value(first + ".moving_variance"), gamma = value(first + ".gamma");
    CHECK(value(second + ".moving_mean") == doctest::Approx(value(first + ".beta")));
    CHECK(value(second + ".moving_variance") == doctest::Approx(gamma * gamma * variance / (variance + 1e-3)));
  }
}

TEST_CASE("synchronisation: variance survives a mean that is far from zero") {
  const BatchNorm<float> layer(3, 0.0);
  LayerRunner<float> run(layer, {4, 50, 3}, Mode::training);
  run.randomize(3);
  double mean = 0, variance = 0;
  const double n = 200;
  for (Index i = 0; i < run.x.size(); ++i) run.x[i] = 3000 + 0.5f * run.x[i];
  for (Index i = 1; i < run.x.size(); i += 3) mean += static_cast<double>(run.x[i]) / n;
  for (Index i = 1; i < run.x.size(); i += 3) variance += std::pow(static_cast<double>(run.x[i]) - mean, 2) / n;
  run.forward();
  run.commit();
  CHECK(run.parameter(2)[1] == doctest::Approx(mean).epsilon(1e-7));
  CHECK(run.parameter(3)[1] == doctest::Approx(variance).epsilon(1e-6));
}

TEST_CASE("synchronisation: a batch without a valid frame is finite and moves nothing") {
  const auto model = build_model<float>(blocks_graph(), kChannels, kClasses);
  const TestBatch<float> batch(2, 5, kChannels, {0, 0, 0});
  const auto r = training_passes(model, batch, 2, 1);
  const auto finite = [](const std::vector<float>& v) {
    return std::all_of(v.begin(), v.end(), [](float x) { return std::isfinite(x); });
  };
  CHECK(finite(r.logits));
  CHECK(finite(r.grads));
  CHECK(r.params == test::test_params(model, 5));
}

TEST_CASE("synchronisation: points of blocks are those of their parts, in the order of the pass; none in inference") {
  const auto bn = [](Index channels) { return std::make_shared<const BatchNorm<float>>(channels); };
  const auto beside =
      std::make_shared<const LayerChain<float>>(std::vector<NamedLayer<float>>{{"bn", bn(6)}}, "shortcut");
  const auto mapped = std::make_shared<const BatchNorm<float>>(6, 0.9, 1e-3, 2);
  const Residual<float> block(6, {{"a", bn(6)}, {"b", mapped}}, Activation::linear, beside);
  CHECK(block.sync_points(Pass::forward) == std::vector<Index>{13, 5, 13});
  CHECK(block.sync_points(Pass::backward) == std::vector<Index>{13, 5, 13});
  const Residual<float> plain(6, {{"a", bn(6)}, {"b", mapped}});
  CHECK(plain.sync_points(Pass::forward) == std::vector<Index>{13, 5});
  CHECK(plain.sync_points(Pass::backward) == std::vector<Index>{5, 13});
  CHECK_THROWS_AS(Bidirectional<float>(bn(6), bn(6)), Error);
}

TEST_CASE("synchronisation: passes through blocks do not allocate") {
  if (!test::counting_allocations()) {
    MESSAGE("allocations are not counted in this build");
    return;
  }
  const auto model = build_model<float>(blocks_graph(), kChannels, kClasses);
  const TestBatch<float> batch(2, 17, kChannels, kLengths);
  auto params = test::test_params(model, 5);
  const auto dy = test::normal_vector<float>(3, 7 * kClasses);
  ThreadPool pool(1);
  Executor<float> run(model, {.mode = Mode::training, .max_batch = 7, .max_time = 17, .shard = 3}, pool);
  const long before = test::allocations();
  run.forward(params, batch.view(), 1, 1);
  run.backward(dy.data());
  run.commit(params);
  CHECK(test::allocations() == before);
}

}  // namespace serene
