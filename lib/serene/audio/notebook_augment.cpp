#include "serene/audio/notebook_augment.h"

#include <algorithm>

#include "serene/audio/phase_vocoder.h"
#include "serene/core/error.h"

namespace serene {

std::vector<float> add_notebook_noise(std::span<const float> x, Random& random) {
  if (x.empty()) throw Error(ErrorCode::input, "", "no samples");
  const double amplitude = 0.035 * random.uniform() * static_cast<double>(*std::max_element(x.begin(), x.end()));
  std::vector<float> out;
  out.reserve(x.size());
  for (const float v : x) out.push_back(static_cast<float>(static_cast<double>(v) + amplitude * random.normal()));
  return out;
}

std::vector<float> notebook_stretch(std::span<const float> x) { return time_stretch(x, 0.8); }

std::vector<float> notebook_pitch(std::span<const float> x, double rate_hz) { return pitch_shift(x, rate_hz, 0.7); }

std::vector<float> notebook_augment(std::span<const float> x, double rate_hz, NotebookAugment kind, Random& random) {
  switch (kind) {
    case NotebookAugment::noise:
      return add_notebook_noise(x, random);
    case NotebookAugment::stretch:
      return notebook_stretch(x);
    case NotebookAugment::pitch:
      return notebook_pitch(x, rate_hz);
    case NotebookAugment::stretch_and_pitch:
      return notebook_pitch(notebook_stretch(x), rate_hz);
    case NotebookAugment::none:
      break;
  }
  return {x.begin(), x.end()};
}

}  // namespace serene
