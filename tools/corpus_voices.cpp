#include "corpus_voices.h"

#include <algorithm>
#include <sstream>

#include "serene/data/corpora.h"
#include "serene/data/locate.h"
#include "serene/data/manifest.h"

namespace serene::cli {
namespace {

bool holds_word(const std::string& words, const std::string& word) {
  std::istringstream stream(words);
  for (std::string one; stream >> one;) {
    if (one == word) return true;
  }
  return false;
}

}  // namespace

Heard CorpusVoices::heard(const std::string& speaker) const {
  const auto note = [&](const char* key) {
    const auto found = options_.notes.find(key);
    return found == options_.notes.end() ? std::string() : found->second;
  };
  const std::string trained = note("train_speakers");
  if (holds_word(note("test_speakers"), speaker)) return Heard::tested;
  if (holds_word(trained, speaker)) return Heard::training;
  if (holds_word(note("validation_speakers"), speaker)) return Heard::validation;
  return trained.empty() ? Heard::unknown : Heard::never;
}

void CorpusVoices::add_corpus(const std::string& corpus) {
  Manifest manifest;
  try {
    manifest = open_corpus(corpus, options_.data);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::not_found && options_.remark) options_.remark(std::string("voices: ") + e.what());
    return;
  }
  std::sort(manifest.clips.begin(), manifest.clips.end(), [](const Clip& a, const Clip& b) { return a.id < b.id; });
  std::map<std::string, CorpusSpeaker> found;
  for (const Clip& clip : manifest.clips) {
    CorpusSpeaker& who = found[clip.speaker];
    who.name = clip.speaker;
    who.sex = clip.sex;
    who.files[clip.label].push_back(clip.path);
  }
  for (auto& [name, who] : found) {
    if (name.empty()) continue;
    who.heard = heard(name);
    speakers_.push_back(std::move(who));
  }
}

const std::vector<CorpusSpeaker>& CorpusVoices::speakers() {
  std::call_once(searched_, [this] {
    for (const std::string& corpus : options_.corpora) add_corpus(corpus);
    if (!options_.corpora.empty()) return;
    for (const CorpusInfo& corpus : known_corpora()) add_corpus(corpus.name);
  });
  return speakers_;
}

}  // namespace serene::cli
