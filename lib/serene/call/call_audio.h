// The sound of one call: two legs on one time line, what was lost on the way, and, for a simulated call, the truth.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "serene/audio/telephone.h"
#include "serene/call/event.h"
#include "serene/core/json.h"

namespace serene {

// Samples of a leg that never arrived; CallAudio::samples holds silence there.
struct LostPiece {
  Leg leg = Leg::customer;
  std::int64_t first = 0, count = 0;

  bool operator==(const LostPiece&) const = default;
};

// One piece that is spoken without a gap: a clip, a file, a synthetic sentence.
struct TruthPiece {
  Leg leg = Leg::customer;
  std::int64_t start_ms = 0, end_ms = 0;
  std::string emotion;  // of the customer's pieces, "" when nobody says; always "" for the agent, who is not judged
  std::string clip;     // what is heard: a clip's id, a file's name, a synthetic voice
  std::string text;     // the turn's words in the scenario; a corpus clip says its own sentence instead
  int turn = 0;         // place in the scenario

  bool operator==(const TruthPiece&) const = default;
};

struct CallAudio {
  std::array<int, leg_count> rate_hz{16000, 16000};   // customer, agent; what Session accepts
  std::array<std::vector<float>, leg_count> samples;  // mono, full scale 1, finite, within [-1, 1]
  std::vector<LostPiece> lost;                        // ascending per leg: the player calls Session::lose there
  std::vector<TruthPiece> truth;                      // ascending by start_ms
  bool agent_leg = true;                              // false: the agent's side is not there and has no samples
  bool hang_up = false;                               // the call ends because the customer hangs up
  std::string title;

  // Samples of one leg.
  const std::vector<float>& leg(Leg which) const { return samples[static_cast<std::size_t>(which)]; }
  std::int64_t duration_ms() const noexcept;  // of the longer leg, rounded up
};

// One recording per speaker; the legs keep their own rates and start together. Throws Error naming the file: it cannot
// be read, is empty, or has more than one channel.
CallAudio read_call(const std::string& customer_file, const std::string& agent_file);

// One recording with two channels, one speaker each; customer_channel is 0 or 1. Throws Error naming the file: one
// channel or two equal ones (voices mixed into one cannot be told apart, and the agent's emotion must not be guessed),
// more than two.
CallAudio read_stereo_call(const std::string& file, int customer_channel);

// A recording with one channel of which the caller declares that the customer alone is in it.
CallAudio read_customer_call(const std::string& file);

// Both legs over the telephone: samples, rates and lost pieces change, times stay. Throws Error(usage) for a config
// that is not possible or a call that has lost pieces already.
void apply(CallAudio& call, const TelephoneConfig& config);

// [{"leg","start_ms","end_ms","emotion","clip","text","turn"}, ...]; empty texts are left out.
Json truth_to_json(const CallAudio& call);

}  // namespace serene
