#include "serene/audio/trim.h"

#include <algorithm>
#include <cmath>

#include "serene/audio/descriptors.h"

namespace serene {

template <class S>
std::vector<SampleRange> split(std::span<const S> y, double top_db, Index frame_length, Index hop_length,
                               std::optional<double> ref) {
  const FrameMatrix<S> energy = rms(y, frame_length, hop_length);
  const double loudest = static_cast<double>(*std::max_element(energy.values.begin(), energy.values.end()));
  const double level = 20 * std::log10(std::max(1e-5, ref ? std::abs(*ref) : loudest));
  std::vector<SampleRange> runs;
  bool before = false;
  for (Index t = 0; t < energy.frames; ++t) {
    const double r = static_cast<double>(energy.values[static_cast<std::size_t>(t)]);
    const bool loud = 20 * std::log10(std::max(1e-5, r)) - level > -top_db;
    const Index n = static_cast<Index>(y.size());
    if (loud && !before) runs.push_back({std::min(n, t * hop_length), 0});
    if (loud) runs.back().end = std::min(n, (t + 1) * hop_length);
    before = loud;
  }
  return runs;
}

template <class S>
SampleRange trim(std::span<const S> y, double top_db, Index frame_length, Index hop_length, std::optional<double> ref) {
  const std::vector<SampleRange> runs = split(y, top_db, frame_length, hop_length, ref);
  return runs.empty() ? SampleRange{} : SampleRange{runs.front().begin, runs.back().end};
}

#define SERENE_INSTANTIATE(S)                                                                 \
  template SampleRange trim(std::span<const S>, double, Index, Index, std::optional<double>); \
  template std::vector<SampleRange> split(std::span<const S>, double, Index, Index, std::optional<double>);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
