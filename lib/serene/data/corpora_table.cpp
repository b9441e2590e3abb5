// Facts about the corpora: labels, published counts, usual folders, licences.
#include "serene/core/error.h"
#include "serene/data/corpora.h"

namespace serene {

const std::vector<CorpusInfo>& known_corpora() {
  static const std::vector<CorpusInfo> corpora = {
      {"ravdess",
       "RAVDESS speech",
       {"neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"},
       {96, 192, 192, 192, 192, 192, 192, 192},
       1440,
       24,
       2.9,
       5.3,
       {"RAVDESS", "Audio_Speech_Actors_01-24", "audio_speech_actors_01-24", "ravdess-emotional-speech-audio"},
       "CC BY-NC-SA 4.0"},
      {"cremad",
       "CREMA-D",
       {"angry", "disgust", "fearful", "happy", "neutral", "sad"},
       {1271, 1271, 1271, 1271, 1087, 1271},
       7442,
       91,
       1.0,
       6.0,
       {"CREMA-D", "crema-d", "CREMAD", "AudioWAV", "crema-d-mirror"},
       "ODbL 1.0"},
      {"tess",
       "TESS",
       {"angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"},
       {400, 400, 400, 400, 400, 400, 400},
       2800,
       2,
       1.0,
       4.0,
       {"TESS", "TESS Toronto emotional speech set data", "toronto-emotional-speech-set-tess"},
       "CC BY-NC-ND 4.0"},
      {"savee",
       "SAVEE",
       {"angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"},
       {60, 60, 60, 60, 120, 60, 60},
       480,
       4,
       1.0,
       8.0,
       {"SAVEE", "AudioData", "ALL", "surrey-audiovisual-expressed-emotion-savee"},
       "research only"},
      {"emodb",
       "EMO-DB",
       {"angry", "disgust", "fearful", "happy", "neutral", "sad", "boredom"},
       {127, 46, 69, 71, 79, 62, 81},
       535,
       10,
       1.0,
       9.5,
       {"EMO-DB", "EmoDB", "emo-db", "berlin-database-of-emotional-speech-emodb"},
       "CC0 1.0"},
  };
  return corpora;
}

const CorpusInfo* find_corpus(std::string_view name) noexcept {
  for (const CorpusInfo& info : known_corpora()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const CorpusInfo& corpus_info(std::string_view name) {
  if (const CorpusInfo* info = find_corpus(name)) return *info;
  std::string names;
  for (const CorpusInfo& info : known_corpora()) names += (names.empty() ? "" : ", ") + info.name;
  throw Error(ErrorCode::usage, "corpus", "unknown corpus '" + printable(name) + "'").expected(names);
}

}  // namespace serene
