// Renders a scenario: clips from a source are laid on one time line per leg, with pauses, overlaps, levels, noise and a
// telephone line.
//
// The same scenario and the same clips give the same samples. Random numbers are keyed by the scenario's seed and by
// what they are for (clips by leg, emotion and place among the leg's clips of that emotion; noise by leg), so that an
// edited turn changes no other turn's clips, unless it takes one of the same emotion before them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "serene/call/call_audio.h"
#include "serene/call/scenario.h"

namespace serene {

// A recording of one voice.
struct SpokenClip {
  std::vector<float> samples;  // mono, full scale 1
  int rate_hz = 0;
  std::string name;         // for the truth: a clip's id, the name of a synthetic voice
  std::string emotion;      // when it is another one than asked for; "" otherwise
  bool whole_turn = false;  // this is the turn's whole text: no further clips are wanted
};

struct ClipRequest {
  Leg leg = Leg::customer;
  LegVoice voice;
  std::string emotion;     // a word of emotions(); "" for a turn of text alone
  std::string text;        // of the turn, may be empty
  int turn = 0, clip = 0;  // place in the scenario, and within the turn
  int take = 0;            // this leg's 0th, 1st, ... clip of this emotion: different takes are different clips while
                           // there are enough
  std::uint64_t seed = 0;
  bool babble = false;  // any voice that has no leg, for the background; take counts from 0
};

// What a leg will need, told before the first clip, so that one speaker can serve the whole call.
struct VoiceRequest {
  LegVoice voice;
  std::vector<std::string> emotions;  // sorted, without repeats
};

// Where clips come from. A source serves one render at a time.
class ClipSource {
 public:
  virtual ~ClipSource() = default;
  // The words it knows.
  virtual const std::vector<std::string>& emotions() const = 0;
  // The known word for another spelling, or "".
  virtual std::string emotion_word(const std::string& text) const;
  virtual void prepare(const std::array<VoiceRequest, leg_count>& legs, std::uint64_t seed);
  // Throws Error when there is none; the turn is put before it.
  virtual SpokenClip clip(const ClipRequest& request) = 0;
};

// The scenario as sound. Throws Error(input) that names the place ("turns[3].emotion: ..."): an emotion that the source
// does not know, a file that cannot be read, a clip without sound, a call longer than max_scenario_s. All words are
// checked before the first clip is read.
//
// Clips lose their silence at both ends (35 dB below their loudest part) and get fades of 5 ms. The truth gives the
// start and end of what then remains. A leg that clips would overload is turned down as a whole, before the turns' own
// gains; what is louder than full scale after those is cut off.
CallAudio render(const Scenario& scenario, ClipSource& source);

// RMS in dBFS of the loud part of a voice: of blocks of 20 ms that are at most 30 dB below the loudest. -120 for
// silence.
double active_level_dbfs(std::span<const float> samples, int rate_hz);

}  // namespace serene
