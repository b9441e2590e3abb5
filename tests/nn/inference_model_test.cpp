// One packed model for many executors; formats of its products.
#include "serene/nn/inference_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "call_counter.h"
#include "model_fixture.h"
#include "serene/nn/executor.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

using test::TestBatch;

constexpr Index kFrames = 60, kChannels = 40, kClasses = 8;

Model<float> strong() { return build_model<float>(test::model_strong_graph(), kChannels, kClasses, "model"); }

std::vector<float> answers(const InferenceModel<float>& inference, const TestBatch<float>& batch, int threads = 1) {
  ThreadPool pool(threads);
  Executor<float> run(inference.weights(), {.max_batch = batch.shape.batch, .max_time = batch.shape.time}, pool);
  const auto y = run.forward(batch.view());
  return {y.data, y.data + y.shape.size()};
}

double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]), size += std::abs(a[i]);
  return sum / size;
}

}  // namespace

TEST_CASE("inference model: answers as the model, from weights that outlive the arguments") {
  const TestBatch<float> batch(3, kFrames, kChannels, {60, 31, 44});
  std::vector<float> expected;
  std::unique_ptr<InferenceModel<float>> inference;
  {
    const Model<float> model = strong();
    const auto params = test::test_params(model, 2);
    ThreadPool pool(1);
    Executor<float> run(model, {.max_batch = 3, .max_time = kFrames}, pool);
    const auto y = run.forward(params, batch.view());
    expected.assign(y.data, y.data + y.shape.size());
    inference = std::make_unique<InferenceModel<float>>(model, params);
  }
  CHECK(inference->input_channels() == kChannels);
  CHECK(inference->output_channels() == kClasses);
  CHECK(mean_difference(expected, answers(*inference, batch)) < 1e-5);
  CHECK(answers(*inference, batch) == answers(*inference, batch, 2));
}

TEST_CASE("inference model: many threads share it, and passes allocate nothing") {
  const Model<float> model = strong();
  const InferenceModel<float> inference(model, test::test_params(model, 2));
  const TestBatch<float> batch(4, kFrames, kChannels, {60, 22});
  const auto expected = answers(inference, batch);
  std::vector<std::vector<float>> got(4);
  std::vector<std::thread> threads;
  for (auto& result : got) threads.emplace_back([&] { result = answers(inference, batch); });
  for (std::thread& t : threads) t.join();
  for (const auto& result : got) CHECK(result == expected);

  ThreadPool pool(1);
  Executor<float> run(inference.weights(), {.max_batch = 2, .max_time = kFrames}, pool);
  run.forward(batch.view());
  const long before = test::allocations();
  run.forward(batch.view());
  CHECK(test::allocations() == before);
}

TEST_CASE("inference model: smaller formats are smaller and answer nearly the same, whatever the batch") {
  const Model<float> model = strong();
  const auto params = test::test_params(model, 2);
  const InferenceModel<float> full(model, params);
  const TestBatch<float> batch(5, kFrames, kChannels, {60, 35, 48, 17});
  const auto expected = answers(full, batch);
  std::size_t bytes = full.weights().bytes();
  for (const auto& [precision, tolerance] : {std::pair{Precision::bf16, 0.03}, {Precision::int8, 0.06}}) {
    const InferenceModel<float> small(model, params, precision);
    CHECK(small.precision() == precision);
    CHECK(small.weights().bytes() < 0.7 * static_cast<double>(bytes));
    bytes = small.weights().bytes();
    const auto got = answers(small, batch);
    CHECK(got != expected);
    CHECK_MESSAGE(mean_difference(expected, got) < tolerance, precision_name(precision));
    for (Index b = 0; b < batch.shape.batch; ++b) {
      ThreadPool pool(1);
      const Index n = batch.lengths[static_cast<std::size_t>(b)];
      Executor<float> run(small.weights(), {.max_time = n}, pool);
      const auto alone = run.forward({batch.view().sample(b), {1, n, kChannels}, nullptr});
      CHECK(std::memcmp(alone.data, got.data() + b * kClasses, kClasses * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("precision: names") {
  for (const std::string& name : precision_names()) CHECK(precision_name(parse_precision(name)) == name);
  CHECK_THROWS_WITH_AS(parse_precision("half"), doctest::Contains("full, bf16 or int8"), Error);
}

}  // namespace serene
