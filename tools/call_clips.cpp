#include "call_clips.h"

#include <algorithm>
#include <filesystem>

#include "espeak_voice.h"
#include "serene/audio/wave.h"
#include "serene/core/random.h"
#include "serene/data/corpora.h"
#include "serene/data/locate.h"

namespace serene::cli {
namespace {

// Purpose::synthetic: which speaker (counter 1) and which clip (counter 2) a scenario gets.
constexpr std::uint64_t kWho = 1, kWhich = 2, kBabble = 3;

std::string stand_in(const std::string& emotion) {
  return emotion == "calm" ? "neutral" : emotion == "neutral" ? "calm" : "";
}

std::string voice_name(const LegVoice& voice, Leg leg) {
  if (!voice.voice.empty()) return voice.voice;
  return leg == Leg::customer ? "en-us+f3" : "en-us+m3";
}

// What the synthetic voice says when a turn has no text, in the tone of everyday calls.
const std::string& spare_sentence(std::size_t which) {
  static const std::vector<std::string> sentences = {
      "I am calling about the parcel that was to come on Monday.", "The number of the order ends with four seven one.",
      "I have been waiting for an answer since last week.",        "The door was closed when the driver came by.",
      "Somebody told me that it would be here in two days.",       "I would like to know what happens next.",
      "The invoice shows another amount than the letter did.",     "My neighbour was at home for the whole afternoon.",
  };
  return sentences[which % sentences.size()];
}

}  // namespace

const std::vector<std::string>& CallClips::emotions() const { return emotion_vocabulary(); }

std::string CallClips::emotion_word(const std::string& text) const {
  const std::string word = canonical_label(text);
  const auto& words = emotion_vocabulary();
  return std::find(words.begin(), words.end(), word) != words.end() ? word : "";
}

const std::string& CallClips::speaker(Leg leg) const {
  static const std::string none;
  const CorpusSpeaker* who = cast_[static_cast<std::size_t>(leg)];
  return who != nullptr ? who->name : none;
}

void CallClips::say(const std::string& line) const {
  if (remark_) remark_(line);
}

// The best speakers are equally good; the seed picks one of them.
const CorpusSpeaker* CallClips::cast(const VoiceRequest& wanted, std::size_t leg, std::uint64_t seed) const {
  const std::string& name = wanted.voice.speaker;
  if (name == "espeak" || speakers_.empty()) return nullptr;
  std::vector<const CorpusSpeaker*> best;
  std::array<int, 3> best_score{1 << 20, 0, 0};
  for (const CorpusSpeaker& who : speakers_) {
    if (who.name == name) return &who;
    if (name != "any" && name != who.sex) continue;
    if (leg > 0 && cast_[0] == &who) continue;
    int missing = 0, replaced = 0;
    for (const std::string& emotion : wanted.emotions) {
      if (who.files.count(emotion) != 0) continue;
      ++(who.files.count(stand_in(emotion)) != 0 ? replaced : missing);
    }
    const std::array<int, 3> score{missing, static_cast<int>(who.heard), replaced};
    if (score < best_score) best.clear(), best_score = score;
    if (score == best_score) best.push_back(&who);
  }
  if (best.empty() && name != "any" && name != "female" && name != "male") {
    throw Error(ErrorCode::usage, std::string(leg_name(static_cast<Leg>(leg))) + ".speaker", "no such speaker")
        .expected("\"any\", \"female\", \"male\", \"espeak\" or a name such as \"" + speakers_.front().name + "\"")
        .got("\"" + printable(name, 60) + "\"");
  }
  if (best.empty() || best_score[0] == static_cast<int>(wanted.emotions.size())) return nullptr;
  Random random(seed, Purpose::synthetic, leg, kWho);
  return best[random.below(best.size())];
}

std::string CallClips::voices_line(const std::array<VoiceRequest, leg_count>& legs) const {
  std::string line = "voices: ";
  for (std::size_t leg = 0; leg < leg_count; ++leg) {
    line += std::string(leg > 0 ? ", " : "") + leg_name(static_cast<Leg>(leg)) + " ";
    const CorpusSpeaker* who = cast_[leg];
    if (who == nullptr) {
      line += "espeak-ng " + voice_name(legs[leg].voice, static_cast<Leg>(leg));
      continue;
    }
    static const char* const relations[] = {"never heard by the model", "never heard by the model",
                                            "the model may know the speaker", "chose the model's settings",
                                            "in the model's training"};
    line += who->name + " (" + relations[static_cast<int>(who->heard)];
    for (const std::string& emotion : legs[leg].emotions) {
      if (who->files.count(emotion) != 0) continue;
      const bool replaced = who->files.count(stand_in(emotion)) != 0;
      line += "; " + emotion + " by " + (replaced ? stand_in(emotion) + " clips" : "espeak-ng");
    }
    line += ")";
  }
  if (searched_ && speakers_.empty()) line += "; no corpus found, name its folder with --data";
  return line;
}

void CallClips::prepare(const std::array<VoiceRequest, leg_count>& legs, std::uint64_t seed) {
  const bool synthetic_only =
      std::all_of(legs.begin(), legs.end(), [](const VoiceRequest& leg) { return leg.voice.speaker == "espeak"; });
  searched_ = !synthetic_only;
  if (searched_) speakers_ = voices_->speakers();
  cast_ = {};
  for (std::size_t leg = 0; leg < leg_count; ++leg) {
    if (!legs[leg].emotions.empty()) cast_[leg] = cast(legs[leg], leg, seed);
  }
  say(voices_line(legs));
}

SpokenClip CallClips::recorded(const CorpusSpeaker& speaker, const std::string& emotion,
                               const ClipRequest& request) const {
  const std::vector<std::string>& files = speaker.files.at(emotion);
  // Each round through the speaker's clips has an order of its own.
  const auto n = files.size(), take = static_cast<std::size_t>(request.take);
  const auto& words = emotion_vocabulary();
  const auto place = static_cast<std::uint64_t>(std::find(words.begin(), words.end(), emotion) - words.begin());
  const std::uint64_t purpose = (kWhich << 32) + (static_cast<std::uint64_t>(request.leg) << 16) + place;
  Random random(request.seed, Purpose::synthetic, purpose, take / n);
  const std::string& file = files[random.permutation(n)[take % n]];
  SpokenClip clip;
  const Wave wave = read_wave(file);
  clip.samples = to_mono(wave);
  clip.rate_hz = wave.rate_hz;
  clip.name = speaker.name + " " + std::filesystem::path(file).stem().string();
  if (emotion != request.emotion) clip.emotion = emotion;
  return clip;
}

SpokenClip CallClips::synthetic(const ClipRequest& request) const {
  const bool own_text = !request.text.empty();
  const EspeakVoice voice = voice_in_emotion(voice_name(request.voice, request.leg), request.emotion);
  const auto place = static_cast<std::size_t>(request.turn) * 3 + static_cast<std::size_t>(request.clip);
  SpokenClip clip = speak(voice, own_text ? request.text : spare_sentence(place));
  clip.whole_turn = own_text;
  return clip;
}

SpokenClip CallClips::background(const ClipRequest& request) const {
  static const std::vector<std::string> voices = {"en-us+m1", "en-us+f1", "en-us+m5",
                                                  "en-us+f2", "en-us+m7", "en-us+f4"};
  const auto take = static_cast<std::size_t>(request.take);
  std::vector<const CorpusSpeaker*> others;
  for (const CorpusSpeaker& who : speakers_) {
    if (cast_[0] != &who && cast_[1] != &who) others.push_back(&who);
  }
  if (others.empty()) return speak(voice_in_emotion(voices[take % voices.size()], ""), spare_sentence(take));
  Random random(request.seed, Purpose::synthetic, kBabble << 32, take);
  const CorpusSpeaker& who = *others[random.below(others.size())];
  auto emotion = who.files.begin();
  std::advance(emotion, static_cast<std::ptrdiff_t>(random.below(who.files.size())));
  const std::string& file = emotion->second[random.below(emotion->second.size())];
  const Wave wave = read_wave(file);
  return {to_mono(wave), wave.rate_hz, who.name, "", false};
}

SpokenClip CallClips::clip(const ClipRequest& request) {
  if (request.babble) return background(request);
  const CorpusSpeaker* who = cast_[static_cast<std::size_t>(request.leg)];
  if (who == nullptr || request.emotion.empty()) return synthetic(request);
  if (who->files.count(request.emotion) != 0) return recorded(*who, request.emotion, request);
  const std::string other = stand_in(request.emotion);
  return who->files.count(other) != 0 ? recorded(*who, other, request) : synthetic(request);
}

}  // namespace serene::cli
