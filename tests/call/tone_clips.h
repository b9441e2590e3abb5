// A source of clips for tests: tones between stretches of silence, every clip with a pitch of its own.
#pragma once

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "serene/call/simulator.h"

namespace serene::test {

class ToneClips : public ClipSource {
 public:
  int rate_hz = 16000;
  double seconds = 1, silence_s = 0.3;
  bool texts_whole = false;
  std::vector<ClipRequest> requests;
  std::array<VoiceRequest, leg_count> prepared;

  const std::vector<std::string>& emotions() const override {
    static const std::vector<std::string> words = {"angry",   "disgust", "fearful",   "happy",
                                                   "neutral", "sad",     "surprised", "calm"};
    return words;
  }
  void prepare(const std::array<VoiceRequest, leg_count>& legs, std::uint64_t) override { prepared = legs; }
  SpokenClip clip(const ClipRequest& r) override {
    requests.push_back(r);
    SpokenClip clip;
    clip.rate_hz = rate_hz;
    clip.name = "tone " + r.emotion + " " + std::to_string(r.take);
    clip.whole_turn = texts_whole && !r.text.empty();
    const double loud = r.emotion == "angry" ? 0.5 : 0.05;
    const double hz = 300 + 17 * r.take + (r.leg == Leg::agent ? 5 : 0) + 40 * static_cast<double>(r.emotion.size());
    const auto n = static_cast<std::size_t>(rate_hz * (seconds + 2 * silence_s));
    const auto quiet = static_cast<std::size_t>(rate_hz * silence_s);
    clip.samples.assign(n, 0.0f);
    for (std::size_t i = quiet; i < n - quiet; ++i) {
      const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz;
      clip.samples[i] = static_cast<float>(loud * std::sin(phase));
    }
    return clip;
  }
};

}  // namespace serene::test
