// Passes over whole models: bits that do not depend on threads, padding or the plan's size; memory; moving statistics.
#include "serene/nn/executor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "call_counter.h"
#include "model_fixture.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

using test::TestBatch;

template <class S>
struct PassResult {
  std::vector<S> logits, grads, dx, params;
};

template <class S>
bool same_bits(const std::vector<S>& a, const std::vector<S>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(S)) == 0;
}

template <class S>
bool finite(const std::vector<S>& v) {
  return std::all_of(v.begin(), v.end(), [](S value) { return std::isfinite(value); });
}

struct PassOptions {
  int threads = 1;
  Index max_batch = 0, max_time = 0;  // 0: as the batch
  Index shard = 2;
};

template <class S>
PassResult<S> training_pass(const Model<S>& model, const TestBatch<S>& batch, const PassOptions& o) {
  PassResult<S> r;
  r.params = test::test_params(model, 5);
  ThreadPool pool(o.threads);
  Executor<S> run(model,
                  {.mode = Mode::training,
                   .max_batch = std::max(o.max_batch, batch.shape.batch),
                   .max_time = std::max(o.max_time, batch.shape.time),
                   .shard = o.shard,
                   .input_gradient = true},
                  pool);
  const auto y = run.forward(r.params, batch.view(), 9, 4);
  r.logits.assign(y.data, y.data + y.shape.size());
  const auto g = run.backward(test::normal_vector<S>(3, y.shape.size()).data());
  r.grads.assign(g.begin(), g.end());
  const auto dx = run.input_gradient();
  for (Index b = 0; b < batch.shape.batch; ++b) {  // valid frames alone: comparable for any padding
    r.dx.insert(r.dx.end(), dx.sample(b),
                dx.sample(b) + batch.lengths[static_cast<std::size_t>(b)] * batch.shape.channels);
  }
  run.commit(r.params);
  return r;
}

template <class S>
std::vector<S> inference_pass(const Model<S>& model, const std::vector<S>& params, SeqView<const S> x, int threads = 1,
                              Index shard = 2) {
  ThreadPool pool(threads);
  Executor<S> run(model, {.max_batch = x.shape.batch, .max_time = x.shape.time, .shard = shard}, pool);
  const auto y = run.forward(params, x);
  return {y.data, y.data + y.shape.size()};
}

template <class S>
void check_equal(const PassResult<S>& a, const PassResult<S>& b, const std::string& what) {
  CHECK_MESSAGE(same_bits(a.logits, b.logits), what << ": logits");
  CHECK_MESSAGE(same_bits(a.grads, b.grads), what << ": gradients");
  CHECK_MESSAGE(same_bits(a.dx, b.dx), what << ": gradient of the input");
  CHECK_MESSAGE(same_bits(a.params, b.params), what << ": parameters after commit");
  CHECK_MESSAGE(finite(a.logits), what);
  CHECK_MESSAGE(finite(a.grads), what);
}

// Calls test(name, model, channels) for model_strong and the models that hold every layer type.
template <class S, class Test>
void for_models(Test&& test) {
  test(std::string("model_strong"), build_model<S>(test::model_strong_graph(), 40, 8));
  for (const std::string& ending : test::endings()) test(ending, build_model<S>(test::every_layer_graph(ending), 5, 4));
}

const std::vector<Index> kLengths = {17, 9, 13, 0, 1, 17, 5};

}  // namespace

TEST_CASE("executor: the same bits for 1, 2, 3 and 5 threads") {
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const TestBatch<float> batch(2, 17, model.input_channels(), kLengths);
    const auto one = training_pass(model, batch, {.threads = 1});
    const auto params = test::test_params(model, 5);
    const auto inferred = inference_pass(model, params, batch.view());
    for (const int threads : {2, 3, 5}) {
      check_equal(one, training_pass(model, batch, {.threads = threads}),
                  name + ", " + std::to_string(threads) + " threads");
      CHECK_MESSAGE(same_bits(inferred, inference_pass(model, params, batch.view(), threads)), name);
    }
    CHECK(std::any_of(one.grads.begin(), one.grads.end(), [](float g) { return g != 0; }));
  });
}

TEST_CASE("executor: a padded batch gives every sample the logits it has alone, bit for bit") {
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const Index f = model.input_channels(), k = model.output_channels();
    const TestBatch<float> batch(2, 19, f, kLengths);
    const auto params = test::test_params(model, 5);
    const auto together = inference_pass(model, params, batch.view());
    CHECK(finite(together));
    for (const Index shard : {1, 3, 8})
      CHECK(same_bits(together, inference_pass(model, params, batch.view(), 2, shard)));
    for (Index b = 0; b < batch.shape.batch; ++b) {
      const Index n = kLengths[static_cast<std::size_t>(b)];
      if (n == 0) continue;
      const auto alone = inference_pass<float>(model, params, {batch.view().sample(b), {1, n, f}, nullptr});
      CHECK_MESSAGE(std::memcmp(alone.data(), together.data() + b * k, alone.size() * sizeof(float)) == 0,
                    name << ", sample " << b);
    }
  });
}

TEST_CASE("executor: more padding changes no bit of logits, gradients or moving statistics") {
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const Index f = model.input_channels();
    const auto tight = training_pass(model, TestBatch<float>(2, 17, f, kLengths), {});
    check_equal(tight, training_pass(model, TestBatch<float>(2, 24, f, kLengths), {}), name + ", NaN padding");
    check_equal(tight, training_pass(model, TestBatch<float>(2, 31, f, kLengths, 1e30f), {}), name + ", huge padding");
  });
}

TEST_CASE("executor: batches smaller than the plan, one after another, leave no trace") {
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const Index f = model.input_channels();
    const TestBatch<float> large(8, 30, f, {30, 22, 30, 11, 30, 2, 30, 30, 30}), small(2, 17, f, kLengths);
    check_equal(training_pass(model, small, {}), training_pass(model, small, {.max_batch = 12, .max_time = 40}),
                name + ", larger plan");

    ThreadPool pool(2);
    Executor<float> run(model, {.mode = Mode::training, .max_batch = 9, .max_time = 30, .shard = 2}, pool);
    const auto params = test::test_params(model, 5);
    const auto dy = test::normal_vector<float>(3, 9 * model.output_channels());
    run.forward(params, large.view(), 1, 1);
    run.backward(dy.data());
    const auto y = run.forward(params, small.view(), 9, 4);
    const std::vector<float> logits(y.data, y.data + y.shape.size());
    const auto g = run.backward(dy.data());
    const auto expected = training_pass(model, small, {});
    CHECK_MESSAGE(same_bits(logits, expected.logits), name);
    CHECK_MESSAGE(same_bits(std::vector<float>(g.begin(), g.end()), expected.grads), name);
  });
}

TEST_CASE("executor: clips too short for a valid convolution give finite answers") {
  for (const std::string& ending : test::endings()) {
    Json graph = test::every_layer_graph(ending);
    graph["layers"][0]["padding"] = "valid";
    const auto model = build_model<float>(graph, 5, 4);
    for (const Index time : {1, 2, 3, 6}) {
      const TestBatch<float> batch(2, time, 5, {time, 1, 0});
      const auto r = training_pass(model, batch, {});
      CHECK_MESSAGE((finite(r.logits) && finite(r.grads) && finite(r.dx) && finite(r.params)),
                    ending << ", time " << time);
      CHECK_MESSAGE(finite(inference_pass(model, r.params, batch.view())), ending << ", time " << time);
    }
  }
}

TEST_CASE("executor: seed and step choose the dropout") {
  const auto model = build_model<float>(test::model_strong_graph(), 40, 8);
  const TestBatch<float> batch(2, 17, 40, {17, 9, 13});
  const auto params = test::test_params(model, 5);
  ThreadPool pool(1);
  Executor<float> run(model, {.mode = Mode::training, .max_batch = 3, .max_time = 17}, pool);
  const auto logits = [&](std::uint64_t seed, std::uint64_t step) {
    const auto y = run.forward(params, batch.view(), seed, step);
    return std::vector<float>(y.data, y.data + y.shape.size());
  };
  const auto first = logits(1, 1);
  CHECK(same_bits(first, logits(1, 1)));
  CHECK_FALSE(same_bits(first, logits(1, 2)));
  CHECK_FALSE(same_bits(first, logits(2, 1)));
}

TEST_CASE("executor: moving statistics change in commit alone, and nothing else does") {
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const TestBatch<float> batch(2, 17, model.input_channels(), kLengths);
    const auto before = test::test_params(model, 5);
    auto params = before;
    ThreadPool pool(2);
    Executor<float> run(model, {.mode = Mode::training, .max_batch = 7, .max_time = 17, .shard = 3}, pool);
    const auto y = run.forward(params, batch.view(), 1, 1);
    run.backward(test::normal_vector<float>(3, y.shape.size()).data());
    CHECK_MESSAGE(same_bits(before, params), name);
    run.commit(params);
    for (const ParameterEntry& e : model.layout().entries) {
      const auto at = static_cast<std::size_t>(e.offset), n = static_cast<std::size_t>(e.spec.size());
      const bool same = std::memcmp(before.data() + at, params.data() + at, n * sizeof(float)) == 0;
      CHECK_MESSAGE(same == e.spec.trainable, name << ": " << e.name);
    }
    const auto committed = params;
    Executor<float> inference(model, {.max_batch = 7, .max_time = 17}, pool);
    inference.forward(params, batch.view());
    inference.commit(params);
    CHECK_MESSAGE(same_bits(committed, params), name << ": inference commits nothing");
  });
}

TEST_CASE("executor: forward, backward and commit do not allocate") {
  if (!test::counting_allocations()) {
    MESSAGE("allocations are not counted in this build");
    return;
  }
  for_models<float>([](const std::string& name, const Model<float>& model) {
    const TestBatch<float> batch(2, 17, model.input_channels(), kLengths);
    auto params = test::test_params(model, 5);
    const auto dy = test::normal_vector<float>(3, 7 * model.output_channels());
    ThreadPool pool(1);
    Executor<float> run(
        model, {.mode = Mode::training, .max_batch = 7, .max_time = 17, .shard = 2, .input_gradient = true}, pool);
    Executor<float> inference(model, {.max_batch = 7, .max_time = 17}, pool);
    const long before = test::allocations();
    run.forward(params, batch.view(), 1, 1);
    const long forward = test::allocations();
    run.backward(dy.data());
    const long backward = test::allocations();
    run.commit(params);
    inference.forward(params, batch.view());
    const long after = test::allocations();
    CHECK_MESSAGE(forward - before == 0, name << ": forward");
    CHECK_MESSAGE(backward - forward == 0, name << ": backward");
    CHECK_MESSAGE(after - backward == 0, name << ": commit and inference");
  });
}

TEST_CASE("executor: activations of every layer on request") {
  const auto model = build_model<float>(test::model_strong_graph(), 40, 8);
  const TestBatch<float> batch(2, 17, 40, {17, 9, 13});
  const auto params = test::test_params(model, 5);
  ThreadPool pool(2);
  Executor<float> run(model, {.max_batch = 3, .max_time = 17, .shard = 2, .keep_activations = true}, pool);
  const auto y = run.forward(params, batch.view());
  const auto shapes = model.shapes(batch.shape);
  for (Index i = 0; i < model.layer_count(); ++i) {
    const auto a = run.activation(i);
    CHECK(a.shape == shapes[static_cast<std::size_t>(i)]);
    CHECK(finite(std::vector<float>(a.data, a.data + a.shape.size())));
  }
  CHECK(run.activation(1).length(1) == 5);  // 9 frames, two to one
  CHECK(same_bits(std::vector<float>(y.data, y.data + y.shape.size()), inference_pass(model, params, batch.view())));
}

TEST_CASE("executor: what does not fit the plan is refused") {
  const auto model = build_model<float>(test::model_strong_graph(), 40, 8);
  const auto params = test::test_params(model, 5);
  ThreadPool pool(1);
  Executor<float> run(model, {.max_batch = 2, .max_time = 10}, pool);
  const auto throws = [&](const TestBatch<float>& b) { CHECK_THROWS_AS(run.forward(params, b.view()), Error); };
  throws({1, 10, 40, {10, 10, 10}});
  throws({1, 11, 40, {10, 10}});
  throws({1, 10, 39, {10, 10}});
  const TestBatch<float> good(1, 10, 40, {10, 10});
  CHECK_THROWS_AS(run.forward(std::span<const float>(params).first(10), good.view()), Error);
  CHECK_THROWS_AS(run.backward(params.data()), Error);  // a plan for inference
  CHECK_THROWS_AS(Executor<float>(model, {.max_batch = 0, .max_time = 10}, pool), Error);
  CHECK_THROWS_AS(Executor<float>(model, {.max_batch = 1, .max_time = 0}, pool), Error);
  CHECK_THROWS_AS(Executor<float>(model, {.max_batch = 1, .max_time = 10, .shard = -1}, pool), Error);
  CHECK_NOTHROW(run.forward(params, good.view()));
}

}  // namespace serene
