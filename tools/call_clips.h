// Voices for simulated calls: recordings of the corpora on this machine, chosen by emotion, and espeak-ng where there
// is none.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "corpus_voices.h"
#include "serene/call/simulator.h"

namespace serene::cli {

// Casting: a leg's speaker is one person who never changes. "any" (or "female", "male") is a seeded choice, first among
// speakers who have all the emotions the leg needs, then among those of the model's test part, then others it has never
// heard, then validation speakers. "calm" and "neutral" stand in for each other when a speaker lacks one; what is still
// missing, and turns of text alone, are spoken by espeak-ng. "espeak" asks for the synthetic voice throughout.
class CallClips : public ClipSource {
 public:
  // voices: shared by all calls. remark: one line for the user, whose voices are heard; may be empty.
  CallClips(std::shared_ptr<CorpusVoices> voices, std::function<void(const std::string&)> remark)
      : voices_(std::move(voices)), remark_(std::move(remark)) {}

  const std::vector<std::string>& emotions() const override;
  std::string emotion_word(const std::string& text) const override;  // any spelling canonical_label knows
  // Searches the corpora unless both legs are synthetic. Throws Error(usage) for a speaker that no corpus has.
  void prepare(const std::array<VoiceRequest, leg_count>& legs, std::uint64_t seed) override;
  SpokenClip clip(const ClipRequest& request) override;

  // The speaker of a leg, "" for espeak-ng. Valid after prepare().
  const std::string& speaker(Leg leg) const;

 private:
  const CorpusSpeaker* cast(const VoiceRequest& wanted, std::size_t leg, std::uint64_t seed) const;
  std::string voices_line(const std::array<VoiceRequest, leg_count>& legs) const;
  SpokenClip recorded(const CorpusSpeaker& speaker, const std::string& emotion, const ClipRequest& request) const;
  SpokenClip synthetic(const ClipRequest& request) const;
  SpokenClip background(const ClipRequest& request) const;
  void say(const std::string& line) const;

  std::shared_ptr<CorpusVoices> voices_;
  std::function<void(const std::string&)> remark_;
  bool searched_ = false;
  std::span<const CorpusSpeaker> speakers_;  // of voices_, once they are needed
  std::array<const CorpusSpeaker*, leg_count> cast_{};
};

}  // namespace serene::cli
