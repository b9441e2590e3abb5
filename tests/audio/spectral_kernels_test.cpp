// The vectorised steps between the spectrum and the frame, at odd sizes, against plain sums in double; and that a frame
// of a stream takes no memory.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "call_counter.h"
#include "serene/audio/feature_stream.h"
#include "serene/audio/mel.h"
#include "serene/audio/mfcc.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

template <class S>
std::vector<S> random_values(Index n, double low, double high) {
  Random random(5, Purpose::test, static_cast<std::uint64_t>(n));
  std::vector<S> x(static_cast<std::size_t>(n));
  for (S& v : x) v = static_cast<S>(random.uniform(low, high));
  return x;
}

// Worst difference from plain sums as a share of the sum of magnitudes.
template <class S>
double worst_mel(Index n_fft, Index n_mels) {
  MelConfig config;
  config.rate_hz = 16000;
  config.n_fft = n_fft;
  config.n_mels = n_mels;
  const MelFilters<S> filters(config);
  const FrameMatrix<S> bank = filters.dense();
  const std::vector<S> power = random_values<S>(filters.bins(), 0, 1);
  std::vector<S> mel(static_cast<std::size_t>(n_mels) + 1, S(-7));
  filters.apply(power.data(), mel.data());
  double worst = 0;
  for (Index m = 0; m < n_mels; ++m) {
    double sum = 0;
    for (Index k = 0; k < filters.bins(); ++k) {
      sum += static_cast<double>(bank.row(m)[k]) * static_cast<double>(power[static_cast<std::size_t>(k)]);
    }
    worst = std::max(worst, std::abs(static_cast<double>(mel[static_cast<std::size_t>(m)]) - sum) / (sum + 1e-30));
  }
  CHECK(mel.back() == S(-7));
  return worst;
}

template <class S>
double worst_cepstrum(Index n_mels, Index n_mfcc) {
  const Cepstrum<S> cepstrum(n_mels, n_mfcc);
  const std::vector<double> table = dct2_matrix(n_mfcc, n_mels);
  const std::vector<S> db = random_values<S>(n_mels, -80, 20);
  std::vector<S> out(static_cast<std::size_t>(n_mfcc) + 1, S(-7));
  cepstrum.apply(db.data(), out.data());
  double worst = 0;
  for (Index i = 0; i < n_mfcc; ++i) {
    double sum = 0, size = 1e-9;
    for (Index m = 0; m < n_mels; ++m) {
      const double term =
          table[static_cast<std::size_t>(i * n_mels + m)] * static_cast<double>(db[static_cast<std::size_t>(m)]);
      sum += term, size += std::abs(term);
    }
    worst = std::max(worst, std::abs(static_cast<double>(out[static_cast<std::size_t>(i)]) - sum) / size);
  }
  CHECK(out.back() == S(-7));
  return worst;
}

}  // namespace

TEST_CASE("mel filters equal their full matrix at any size") {
  for (const Index n_fft : {2, 4, 6, 8, 16, 64, 512, 2048}) {
    for (const Index n_mels : {1, 2, 3, 4, 5, 7, 40, 63, 64, 129}) {
      CAPTURE(n_fft);
      CAPTURE(n_mels);
      CHECK(worst_mel<float>(n_fft, n_mels) < 1e-6);
      CHECK(worst_mel<double>(n_fft, n_mels) < 1e-14);
    }
  }
}

TEST_CASE("cepstra equal plain sums at any size") {
  for (const Index n_mels : {1, 3, 4, 7, 40, 64, 81, 130}) {
    for (const Index n_mfcc : {1, 2, 7, 8, 9, 13, 39, 40, 41, 47, 48, 80, 81, 127}) {
      if (n_mfcc > n_mels) continue;
      CAPTURE(n_mels);
      CAPTURE(n_mfcc);
      CHECK(worst_cepstrum<float>(n_mels, n_mfcc) < 3e-6);
      CHECK(worst_cepstrum<double>(n_mels, n_mfcc) < 1e-14);
    }
  }
}

TEST_CASE("decibels hold their accuracy over the whole range of float") {
  std::vector<float> x, db;
  for (float v = 1e-37f; v < 1e37f; v *= 1.0371f) x.push_back(v);
  for (const float v : {0.0f, -1.0f, 1.0f, std::numeric_limits<float>::denorm_min()}) x.push_back(v);
  db.resize(x.size());
  power_to_db_row(x.data(), db.data(), static_cast<Index>(x.size()), 1e-37f);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double exact = 10 * std::log10(std::max(1e-37, static_cast<double>(x[i])));
    worst = std::max(worst, std::abs(static_cast<double>(db[i]) - exact));
  }
  CHECK(worst < 4e-5);
}

TEST_CASE("a frame of a stream takes no memory") {
  if (!test::counting_allocations()) {
    MESSAGE("allocations are not counted in this build");
    return;
  }
  std::vector<float> y = random_values<float>(48000, -0.5, 0.5);
  y[77] = std::numeric_limits<float>::quiet_NaN();
  for (const char* preset : {"mfcc-40", "logmel-64"}) {
    for (const int deltas : {0, 2}) {
      FeatureConfig config = feature_preset(preset);
      config.deltas = deltas;
      FeatureStream stream(config);
      Index frames = 0;
      const long before = test::allocations();
      for (std::size_t at = 0; at < y.size(); at += 160) {
        stream.feed({y.data() + at, 160}, [&](const float*) { ++frames; });
      }
      stream.finish();
      stream.feed({}, [&](const float*) { ++frames; });
      stream.reset();
      CHECK(test::allocations() == before);
      CHECK(frames == 301);
    }
  }
}
