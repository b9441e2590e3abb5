// Time of every layer of model_strong, forward and backward, on one thread: milliseconds, GFLOP/s and the share of the
// core's peak. Checks the matrix product against plain loops first and times nothing that is wrong.
//
//   bench_layers [seconds per layer and direction = 0.3] [batch = 8] [frames = 300]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "serene/core/gemm.h"
#include "serene/nn/init.h"
#include "serene/nn/layer_runner.h"
#include "serene/nn/model_builder.h"
#include "support/bench_main.h"
#include "support/fma_peak.h"
#include "support/machine.h"
#include "support/measure.h"

namespace serene::bench {
namespace {

constexpr Index kFeatures = 40, kClasses = 8;

// Largest difference from a sum in double, as a share of the sum of magnitudes; odd sizes reach every edge of the
// kernels.
double gemm_error(Trans trans_a, Index m, Index n, Index k) {
  const std::vector<float> a = noise(static_cast<std::size_t>(m * k), 1), b = noise(static_cast<std::size_t>(k * n), 2);
  std::vector<float> c(static_cast<std::size_t>(m * n));
  AlignedVector<float> work(packed_size<float>(k, n));
  const Index lda = trans_a == Trans::yes ? m : k;
  gemm<float>(trans_a, Trans::no, m, n, k, a.data(), lda, b.data(), n, false, c.data(), n, work.data());
  double worst = 0;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = 0, size = 1e-9;
      for (Index p = 0; p < k; ++p) {
        const double term =
            static_cast<double>(a[static_cast<std::size_t>(trans_a == Trans::yes ? p * m + i : i * k + p)]) *
            static_cast<double>(b[static_cast<std::size_t>(p * n + j)]);
        sum += term, size += std::abs(term);
      }
      worst = std::max(worst, std::abs(sum - static_cast<double>(c[static_cast<std::size_t>(i * n + j)])) / size);
    }
  }
  return worst;
}

void verify() {
  double worst = 0;
  for (const Trans trans : {Trans::no, Trans::yes}) {
    for (const Index m : {1, 7, 12, 29}) {
      for (const Index n : {1, 31, 33, 128}) {
        for (const Index k : {1, 40, 257}) worst = std::max(worst, gemm_error(trans, m, n, k));
      }
    }
  }
  std::fprintf(stderr, "verify: gemm differs from plain loops by at most %.1e of the sum of magnitudes\n", worst);
  if (!(worst < 1e-5)) throw Error(ErrorCode::internal, "gemm", "differs from plain loops");
}

// One layer with all memory that its two passes need.
struct Station {
  const Layer<float>* layer;
  Params<const float> params;
  Params<float> grads;
  Shape in, out;
  std::vector<float> x, y, dy, dx;
  AlignedVector<float> saved, scratch, packed;

  Frame<float> frame() {
    Frame<float> f;
    f.saved = saved.data(), f.scratch = scratch.data(), f.packed = packed.data(), f.mode = Mode::training, f.seed = 1;
    return f;
  }
  void forward() { layer->forward(params, {x.data(), in, nullptr}, {y.data(), out, nullptr}, frame()); }
  void backward(bool first) {
    layer->backward(params, {x.data(), in, nullptr}, {y.data(), out, nullptr}, {dy.data(), out, nullptr},
                    {first ? nullptr : dx.data(), in, nullptr}, frame(), grads);
  }
};

Station make_station(const Model<float>& model, Index i, Shape in, std::vector<float> x, const float* params,
                     float* grads) {
  Station s{
      &model.layer(i), model.params(i, params), model.params(i, grads), in, {}, std::move(x), {}, {}, {}, {}, {}, {}};
  const Plan plan = s.layer->plan(in, Mode::training);
  s.out = plan.out;
  s.y.resize(static_cast<std::size_t>(plan.out.size()));
  s.dx.resize(static_cast<std::size_t>(in.size()));
  s.dy = noise(s.y.size(), 3);
  s.saved.resize(plan.saved);
  s.scratch.resize(plan.scratch);
  // A training step packs the weights once for all of its shards: outside of what is timed here.
  const Packing packing{Mode::training, Precision::full};
  s.packed.resize(s.layer->packed_weights_size(packing));
  s.layer->pack_weights(s.params, packing, s.packed.data());
  return s;
}

Json measure_layer(Station& s, const std::string& name, bool first, double budget, double peak, double total[3]) {
  const Times forward = repeat(budget, 5, [&] { s.forward(); });
  const Times backward = repeat(budget, 5, [&] { s.backward(first); });
  // Backward makes two products for each of forward: for the weights and for the input, which the first layer leaves
  // out.
  const double flops = 2 * s.layer->multiply_adds(s.in) * static_cast<double>(s.in.batch);
  const double forward_rate = flops / forward.median * 1e-9,
               backward_rate = (first ? 1 : 2) * flops / backward.median * 1e-9;
  std::fprintf(stderr, "%-8s %-26s %8.3f %8.3f-%-8.3f %7.1f %5.0f%% %9.3f %8.3f-%-8.3f %7.1f %5.0f%%\n", name.c_str(),
               s.layer->type().c_str(), forward.median * 1e3, forward.least * 1e3, forward.most * 1e3, forward_rate,
               100 * forward_rate / peak, backward.median * 1e3, backward.least * 1e3, backward.most * 1e3,
               backward_rate, 100 * backward_rate / peak);
  total[0] += forward.median, total[1] += backward.median, total[2] += flops * (first ? 2 : 3);
  return {{"layer", name},
          {"type", s.layer->type()},
          {"forward", to_json(forward)},
          {"backward", to_json(backward)},
          {"forward_gflops", forward_rate},
          {"backward_gflops", backward_rate}};
}

int run(int count, char** arguments) {
  const double budget = count > 1 ? std::atof(arguments[1]) : 0.3;
  const Index batch = count > 2 ? std::atol(arguments[2]) : 8, frames = count > 3 ? std::atol(arguments[3]) : 300;
  verify();
  const FmaPeak peak = fma_peak();
  std::fprintf(
      stderr,
      "%s\npeak of one core: %.1f GFLOP/s (%s); model_strong, batch %td, %td frames, %td features, one thread\n\n",
      machine_line().c_str(), peak.gflops, peak.how, batch, frames, kFeatures);
  std::fprintf(stderr, "%-8s %-26s %8s %17s %7s %6s %9s %17s %7s %6s\n", "layer", "type", "fwd ms", "min-max",
               "GFLOP/s", "peak", "bwd ms", "min-max", "GFLOP/s", "peak");

  const Model<float> model = build_model<float>(model_strong(), kFeatures, kClasses);
  std::vector<float> params(static_cast<std::size_t>(model.layout().size)), grads(params.size());
  initialize<float>(model.layout(), 1, params.data());
  Shape shape{batch, frames, kFeatures};
  std::vector<float> x = noise(static_cast<std::size_t>(shape.size()), 7);
  double total[3] = {};
  Json layers = Json::array();
  for (Index i = 0; i < model.layer_count(); ++i) {
    Station s = make_station(model, i, shape, std::move(x), params.data(), grads.data());
    layers.push_back(measure_layer(s, model.name(i), i == 0, budget, peak.gflops, total));
    shape = s.out, x = std::move(s.y);
  }
  const double rate = total[2] / (total[0] + total[1]) * 1e-9;
  std::fprintf(stderr, "\nall layers: forward %.3f ms, backward %.3f ms, %.1f GFLOP/s, %.0f %% of the peak\n",
               total[0] * 1e3, total[1] * 1e3, rate, 100 * rate / peak.gflops);
  const Json report = {{"benchmark", "layers"}, {"machine", machine()}, {"peak_gflops", peak.gflops},
                       {"peak_by", peak.how},   {"batch", batch},       {"frames", frames},
                       {"layers", layers},      {"gflops", rate},       {"peak_memory_bytes", peak_memory()}};
  std::cout << report.dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace serene::bench

int main(int count, char** arguments) {
  return serene::bench::bench_main("bench_layers", count, arguments, serene::bench::run);
}
