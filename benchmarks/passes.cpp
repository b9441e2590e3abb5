// Whole passes through model_strong: training steps for every number of threads, latency of single clips, growth with
// the number of frames and the batch, memory.
//
//   bench_passes [seconds per figure = 2] [most threads = cores]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "serene/nn/executor.h"
#include "serene/nn/init.h"
#include "serene/nn/model_builder.h"
#include "serene/train/optimizer.h"
#include "support/fma_peak.h"
#include "support/machine.h"
#include "support/measure.h"

namespace serene::bench {
namespace {

constexpr Index kFeatures = 40, kClasses = 8, kFrames = 300, kBatch = 64;

struct Setup {
  Setup()
      : model(build_model<float>(model_strong(), kFeatures, kClasses)),
        params(static_cast<std::size_t>(model.layout().size)) {
    initialize<float>(model.layout(), 1, params.data());
  }
  Model<float> model;
  std::vector<float> params;
};

// Multiply-adds count twice; backward repeats every product twice, but for the input gradient of the first layer.
double step_flops(const Model<float>& model, Index frames) {
  double sum = 0;
  Shape shape{1, frames, kFeatures};
  for (Index i = 0; i < model.layer_count(); ++i) {
    sum += (i == 0 ? 4 : 6) * model.layer(i).multiply_adds(shape);
    shape = model.layer(i).plan(shape, Mode::training).out;
  }
  return sum;
}

void check_finite(std::span<const float> values, const char* what) {
  for (const float v : values) {
    if (!std::isfinite(v)) throw Error(ErrorCode::internal, what, "not finite");
  }
}

Json training(double budget, Index batch, Index frames, int threads, double peak) {
  Setup setup;
  ThreadPool pool(threads);
  ExecutorOptions options;
  options.mode = Mode::training, options.max_batch = batch, options.max_time = frames;
  Executor<float> executor(setup.model, options, pool);
  Optimizer<float> optimizer(OptimizerConfig{}, setup.model.layout());
  const std::vector<float> x = noise(static_cast<std::size_t>(batch * frames * kFeatures), 5);
  std::vector<float> dlogits(static_cast<std::size_t>(batch * kClasses), 0.125f / static_cast<float>(batch));
  for (Index b = 0; b < batch; ++b)
    dlogits[static_cast<std::size_t>(b * kClasses + b % kClasses)] -= 1.0f / static_cast<float>(batch);
  std::uint64_t step = 0;
  const Times times = repeat(budget, 5, [&] {
    executor.forward(setup.params, {x.data(), {batch, frames, kFeatures}, nullptr}, 1, step++);
    const auto grads = executor.backward(setup.params, dlogits.data());
    optimizer.step(setup.params.data(), grads.data(), 1e-4, pool);
    executor.commit(setup.params);
  });
  check_finite(setup.params, "weights after training");
  const double rate = static_cast<double>(batch) / times.median;
  const double share = rate * step_flops(setup.model, frames) * 1e-9 / (peak * threads);
  std::fprintf(stderr,
               "training   batch %3td  frames %4td  threads %d  %8.1f ms (%.1f-%.1f)  %7.1f samples/s  %3.0f %% of the "
               "peak  %6.1f MB planned\n",
               batch, frames, threads, times.median * 1e3, times.least * 1e3, times.most * 1e3, rate, 100 * share,
               static_cast<double>(executor.bytes()) * 1e-6);
  return {{"work", "training"},     {"batch", batch},
          {"frames", frames},       {"threads", threads},
          {"step", to_json(times)}, {"samples_per_second", rate},
          {"share_of_peak", share}, {"planned_bytes", executor.bytes()}};
}

Json inference(double budget, Index batch, Index frames, int threads) {
  Setup setup;
  ThreadPool pool(threads);
  ExecutorOptions options;
  options.max_batch = batch, options.max_time = frames;
  Executor<float> executor(setup.model, options, pool);
  const std::vector<float> x = noise(static_cast<std::size_t>(batch * frames * kFeatures), 5);
  SeqView<const float> logits;
  const Times times = repeat(budget, 20, [&] {
    logits = executor.forward(setup.params, {x.data(), {batch, frames, kFeatures}, nullptr});
  });
  check_finite({logits.data, static_cast<std::size_t>(batch * kClasses)}, "logits");
  std::fprintf(stderr,
               "inference  batch %3td  frames %4td  threads %d  median %.3f ms  p99 %.3f ms (%d calls)  %7.1f "
               "samples/s  %6.1f MB planned\n",
               batch, frames, threads, times.median * 1e3, times.p99 * 1e3, times.calls,
               static_cast<double>(batch) / times.median, static_cast<double>(executor.bytes()) * 1e-6);
  return {{"work", "inference"},
          {"batch", batch},
          {"frames", frames},
          {"threads", threads},
          {"call", to_json(times)},
          {"samples_per_second", static_cast<double>(batch) / times.median},
          {"planned_bytes", executor.bytes()}};
}

int run(int count, char** arguments) {
  const double budget = count > 1 ? std::atof(arguments[1]) : 2.0;
  const int cores = count > 2 ? std::atoi(arguments[2]) : available_threads();
  const FmaPeak peak = fma_peak();
  std::fprintf(stderr, "%s\npeak of one core: %.1f GFLOP/s (%s)\n", machine_line().c_str(), peak.gflops, peak.how);
  Json figures = Json::array();
  // From small to large, so that the peak memory after each figure is its own.
  const auto add = [&](Json figure) {
    figure["peak_memory_bytes"] = peak_memory();
    figures.push_back(std::move(figure));
  };
  add(inference(budget, 1, kFrames, 1));
  for (const Index frames : {75, 150, 600}) add(inference(budget / 2, 1, frames, 1));
  for (const Index batch : {4, 16}) add(inference(budget / 2, batch, kFrames, 1));
  for (int t = 1; t <= cores; ++t) add(inference(budget, kBatch, kFrames, t));
  for (const Index batch : {8, 16, 32}) add(training(budget, batch, kFrames, 1, peak.gflops));
  for (const Index frames : {75, 150}) add(training(budget, kBatch, frames, 1, peak.gflops));
  for (int t = 1; t <= cores; ++t) add(training(budget, kBatch, kFrames, t, peak.gflops));
  std::fprintf(stderr, "peak memory of all of it: %.1f MB\n", peak_memory() * 1e-6);
  const Json report = {{"benchmark", "passes"},
                       {"machine", machine()},
                       {"peak_gflops", peak.gflops},
                       {"peak_by", peak.how},
                       {"figures", figures}};
  std::cout << report.dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace serene::bench

int main(int count, char** arguments) {
  try {
    return serene::bench::run(count, arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_passes: error: %s\n", e.what());
    return 3;
  }
}
