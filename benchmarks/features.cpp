// Time of the features: the real Fourier transform beside kissfft (where it is installed; interleaved in one process),
// reading a clip and making its features from the file to frames, and the stream of a call. Checks the transform
// against its definition first and times nothing that is wrong.
//
//   bench_features [seconds per figure = 0.5]
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>
#include <numbers>
#include <string>
#include <vector>

#include "serene/audio/feature_stream.h"
#include "serene/audio/features.h"
#include "serene/audio/fft.h"
#include "serene/audio/wave.h"
#include "serene/core/error.h"
#include "support/machine.h"
#include "support/measure.h"

#if __has_include(<kiss_fftr.h>) && defined(SERENE_BENCH_KISSFFT)
#include <kiss_fftr.h>
#define SERENE_HAS_KISSFFT 1
#else
#define SERENE_HAS_KISSFFT 0
#endif

namespace {
std::atomic<long> allocations{0};
}

// Every allocation of this program is counted: a frame of a stream must make none.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace serene::bench {
namespace {

constexpr int kRate = 16000, kHop = 160;
constexpr double kSeconds = 3.5;

// Speech-like: a gliding tone with overtones and a slow envelope over noise, 0.3 s of near silence at both ends.
std::vector<float> clip() {
  std::vector<float> y = noise(static_cast<std::size_t>(kSeconds * kRate), 5);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double t = static_cast<double>(i) / kRate;
    const bool quiet = t < 0.3 || t > kSeconds - 0.3;
    const double phase = 2 * std::numbers::pi * (140 * t + 6 * std::sin(3 * t));
    const double voice = std::sin(phase) + 0.5 * std::sin(2 * phase) + 0.25 * std::sin(5 * phase);
    y[i] = static_cast<float>(quiet ? 1e-4 * y[i] : (0.15 + 0.1 * std::sin(9 * t)) * voice + 0.01 * y[i]);
  }
  return y;
}

template <class S>
struct Spectra {
  RealFft<S> fft;
  std::vector<S> re, im, scratch;
  explicit Spectra(Index n)
      : fft(n),
        re(static_cast<std::size_t>(fft.bins())),
        im(re.size()),
        scratch(static_cast<std::size_t>(fft.scratch_size())) {}
  void operator()(const S* x) { fft.forward(x, re.data(), im.data(), scratch.data()); }
};

// Worst difference from the sums of the definition (in double), as a share of the largest value.
template <class S>
double worst_error(Index n) {
  const std::vector<float> signal = noise(static_cast<std::size_t>(n), 11);
  const std::vector<S> x(signal.begin(), signal.end());
  Spectra<S> got(n);
  got(x.data());
  double worst = 0, largest = 0;
  for (Index k = 0; k <= n / 2; ++k) {
    double re = 0, im = 0;
    for (Index i = 0; i < n; ++i) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(k * i % n) / static_cast<double>(n);
      re += static_cast<double>(x[static_cast<std::size_t>(i)]) * std::cos(angle);
      im += static_cast<double>(x[static_cast<std::size_t>(i)]) * std::sin(angle);
    }
    const auto at = static_cast<std::size_t>(k);
    largest = std::max(largest, std::hypot(re, im));
    worst = std::max(worst, std::hypot(static_cast<double>(got.re[at]) - re, static_cast<double>(got.im[at]) - im));
  }
  return worst / largest;
}

void verify() {
  double single = 0, exact = 0;
  for (Index n = 2; n <= 2048; n *= 2) {
    single = std::max(single, worst_error<float>(n));
    exact = std::max(exact, worst_error<double>(n));
  }
  std::fprintf(stderr, "verify: fft differs from the definition by at most %.1e (float) and %.1e (double)\n", single,
               exact);
  if (!(single < 1e-6 && exact < 1e-13)) throw Error(ErrorCode::internal, "fft", "differs from its definition");
}

#if SERENE_HAS_KISSFFT
class Peer {
 public:
  explicit Peer(Index n)
      : plan_(kiss_fftr_alloc(static_cast<int>(n), 0, nullptr, nullptr)), out_(static_cast<std::size_t>(n / 2 + 1)) {}
  ~Peer() { kiss_fftr_free(plan_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  void operator()(const float* x) { kiss_fftr(plan_, x, out_.data()); }

 private:
  kiss_fftr_cfg plan_;
  std::vector<kiss_fft_cpx> out_;
};
#endif

template <class Transform>
double time_frames(Transform& transform, const std::vector<float>& y, Index n) {
  const Clock::time_point start = Clock::now();
  for (std::size_t at = 0; at + static_cast<std::size_t>(n) <= y.size(); at += kHop) transform(y.data() + at);
  return seconds_since(start);
}

// All frames of the clip, ours and kissfft in turns: the ratio of each turn is free of the machine's mood.
Json measure_fft(const std::vector<float>& y, Index n, double budget) {
  Spectra<float> ours(n);
  std::vector<double> mine, theirs, ratios;
#if SERENE_HAS_KISSFFT
  Peer peer(n);
#endif
  const Clock::time_point start = Clock::now();
  while (mine.size() < 10 || seconds_since(start) < budget) {
    mine.push_back(time_frames(ours, y, n));
#if SERENE_HAS_KISSFFT
    theirs.push_back(time_frames(peer, y, n));
    ratios.push_back(theirs.back() / mine.back());
#endif
  }
  const double frames = static_cast<double>((y.size() - static_cast<std::size_t>(n)) / kHop + 1);
  const Times own = summary(mine);
  Json result = {{"size", n}, {"frames", frames}, {"serene", to_json(own)}};
  std::fprintf(stderr, "fft %5td   %8.4f ms a clip, %6.0f ns a frame (least %6.0f)", n, own.median * 1e3,
               own.median / frames * 1e9, own.least / frames * 1e9);
  if (!ratios.empty()) {
    const Times other = summary(theirs);
    std::sort(ratios.begin(), ratios.end());
    const double low = ratios[ratios.size() / 10], mid = ratios[ratios.size() / 2];
    const double high = ratios[ratios.size() - 1 - ratios.size() / 10];
    std::fprintf(stderr, "   kissfft %6.0f ns   ratio %.2f (10-90 %%: %.2f-%.2f)", other.median / frames * 1e9, mid,
                 low, high);
    result["kissfft"] = to_json(other);
    result["ratio"] = {{"median", mid}, {"p10", low}, {"p90", high}};
  }
  std::fprintf(stderr, "\n");
  return result;
}

// A file of the clip, gone with the object.
class ClipFile {
 public:
  explicit ClipFile(const std::vector<float>& y) {
    std::string name = (std::filesystem::temp_directory_path() / "serene_bench_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(ErrorCode::internal, name, "cannot make a folder");
    folder_ = name;
    write_wave16(path(), y, kRate);
  }
  ~ClipFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  ClipFile(const ClipFile&) = delete;
  ClipFile& operator=(const ClipFile&) = delete;
  std::string path() const { return folder_ + "/clip.wav"; }

 private:
  std::string folder_;
};

Json report_clip(const char* what, const std::string& name, bool trimmed, const Times& t) {
  std::fprintf(stderr, "%-14s %-10s %-9s %8.4f ms (least %.4f, p99 %.4f)  %8.0f clips/s  %8.0f x real time\n", what,
               name.c_str(), trimmed ? "trimmed" : "whole", t.median * 1e3, t.least * 1e3, t.p99 * 1e3, 1 / t.median,
               kSeconds / t.median);
  return {{"what", what},        {"preset", name},          {"trimmed", trimmed},
          {"times", to_json(t)}, {"clips_s", 1 / t.median}, {"times_real_time", kSeconds / t.median}};
}

// From a path to frames, and the same from samples in memory.
void measure_clips(const std::vector<float>& y, double budget, Json& results) {
  const ClipFile file(y);
  for (const std::string name : {"mfcc-40", "logmel-64"}) {
    for (const bool trimmed : {false, true}) {
      FeatureConfig config = feature_preset(name);
      if (!trimmed) config.trim_top_db.reset();
      FeatureExtractor extractor(config);
      if (extractor.extract_file(file.path()).frames < 200) throw Error(ErrorCode::internal, name, "too few frames");
      const Times whole = repeat(budget, 10, [&] { extractor.extract_file(file.path()); });
      results.push_back(report_clip("read + make", name, trimmed, whole));
      const Times made = repeat(budget, 10, [&] { extractor.extract(y); });
      results.push_back(report_clip("make", name, trimmed, made));
    }
  }
  const Times read = repeat(budget, 10, [&] { load_mono(file.path(), kRate); });
  results.push_back(report_clip("read", "-", false, read));
}

// The clip pushed 10 ms at a time, as a call does.
Json measure_stream(const std::vector<float>& y, const std::string& name, double budget) {
  FeatureStream stream(feature_preset(name));
  long frames = 0, counted = 0;
  float sum = 0;
  const auto whole_clip = [&] {
    stream.reset();
    const long before = allocations.load();
    for (std::size_t at = 0; at + kHop <= y.size(); at += kHop) {
      stream.feed({y.data() + at, static_cast<std::size_t>(kHop)}, [&](const float* frame) {
        sum += frame[0];
        ++frames;
      });
    }
    counted += allocations.load() - before;
  };
  const Times t = repeat(budget, 10, whole_clip);
  if (!std::isfinite(sum)) throw Error(ErrorCode::internal, name, "frames that are not finite");
  if (counted != 0) throw Error(ErrorCode::internal, name, "the stream allocates");
  const double pushes = static_cast<double>(y.size() / kHop);
  std::fprintf(stderr,
               "stream         %-10s %6.0f ns a push of 10 ms (least %.0f, p99 %.0f), %ld allocations in %ld frames\n",
               name.c_str(), t.median / pushes * 1e9, t.least / pushes * 1e9, t.p99 / pushes * 1e9, counted, frames);
  return {{"preset", name},
          {"clip", to_json(t)},
          {"push_s", t.median / pushes},
          {"allocations", counted},
          {"frames", frames}};
}

int run(int count, char** arguments) {
  const double budget = count > 1 ? std::atof(arguments[1]) : 0.5;
  verify();
  const std::vector<float> y = clip();
  std::fprintf(stderr, "%s\none thread; a clip of %.1f s at %d Hz, a frame every 10 ms; kissfft: %s\n\n",
               machine_line().c_str(), kSeconds, kRate, SERENE_HAS_KISSFFT ? "installed" : "not installed");
  Json transforms = Json::array(), clips = Json::array(), streams = Json::array();
  for (const Index n : {256, 512, 1024, 2048}) transforms.push_back(measure_fft(y, n, budget));
  measure_clips(y, budget, clips);
  for (const char* name : {"mfcc-40", "logmel-64"}) streams.push_back(measure_stream(y, name, budget));
  const Json report = {{"benchmark", "features"},
                       {"machine", machine()},
                       {"clip_s", kSeconds},
                       {"fft", transforms},
                       {"clips", clips},
                       {"stream", streams},
                       {"peak_memory_bytes", peak_memory()}};
  std::cout << report.dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace serene::bench

int main(int count, char** arguments) {
  try {
    return serene::bench::run(count, arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_features: error: %s\n", e.what());
    return 3;
  }
}
