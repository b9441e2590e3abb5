// Voices for simulated calls: recordings of the corpora on this machine, chosen by emotion, and espeak-ng where there
// is none.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "serene/call/simulator.h"
#include "serene/data/manifest.h"

namespace serene::cli {

struct CallClipOptions {
  std::string data;                          // folder of corpora, as --data; "": where locate_corpus looks
  std::map<std::string, std::string> notes;  // of the checkpoint: train_speakers, validation_speakers, test_speakers
  std::vector<std::string> corpora;          // by name; empty: all that are known
  std::function<void(const std::string&)> remark;  // one line for the user: whose voices are heard; may be empty
};

// Casting: a leg's speaker is one person who never changes. "any" (or "female", "male") is a seeded choice, first among
// speakers who have all the emotions the leg needs, then among those of the model's test part, then others it has never
// heard, then validation speakers. "calm" and "neutral" stand in for each other when a speaker lacks one; what is still
// missing, and turns of text alone, are spoken by espeak-ng. "espeak" asks for the synthetic voice throughout.
class CallClips : public ClipSource {
 public:
  explicit CallClips(CallClipOptions options) : options_(std::move(options)) {}

  const std::vector<std::string>& emotions() const override;
  std::string emotion_word(const std::string& text) const override;  // any spelling canonical_label knows
  // Finds the corpora at the first call. Throws Error(usage) for a speaker that no corpus has.
  void prepare(const std::array<VoiceRequest, leg_count>& legs, std::uint64_t seed) override;
  SpokenClip clip(const ClipRequest& request) override;

  // The speaker of a leg, "" for espeak-ng. Valid after prepare().
  const std::string& speaker(Leg leg) const;

 private:
  enum class Heard { tested, never, unknown, validation, training };
  struct Speaker {
    std::string name, sex;
    Heard heard = Heard::unknown;
    std::map<std::string, std::vector<std::string>> files;  // by emotion, sorted by clip id
  };

  void find_speakers();
  void add_corpus(const std::string& corpus);
  Heard heard(const std::string& speaker) const;
  const Speaker* cast(const VoiceRequest& wanted, std::size_t leg, std::uint64_t seed) const;
  std::string voices_line(const std::array<VoiceRequest, leg_count>& legs) const;
  SpokenClip recorded(const Speaker& speaker, const std::string& emotion, const ClipRequest& request) const;
  SpokenClip synthetic(const ClipRequest& request) const;
  SpokenClip background(const ClipRequest& request) const;
  void say(const std::string& line) const;

  CallClipOptions options_;
  bool searched_ = false;
  std::vector<Speaker> speakers_;  // sorted by name within each corpus, corpora in their order
  std::array<const Speaker*, leg_count> cast_{};
};

}  // namespace serene::cli
