#include "serene/data/corpora.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_set>

#include "serene/core/error.h"
#include "serene/data/csv.h"
#include "serene/data/locate.h"
#include "serene/data/votes.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A number of exactly `digits` digits within low..high, or -1.
int number_of(std::string_view text, std::size_t digits, int low, int high) noexcept {
  if (text.size() != digits || !is_digits(text)) return -1;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value >= low && value <= high ? value : -1;
}

std::vector<std::string_view> split_at(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

using Code = std::pair<std::string_view, std::string_view>;

template <std::size_t N>
std::string_view word_of(const std::array<Code, N>& codes, std::string_view code) noexcept {
  for (const auto& [key, word] : codes) {
    if (key == code) return word;
  }
  return {};
}

Clip named_clip(std::string_view corpus, std::string_view stem, std::string_view label, std::string_view speaker) {
  Clip clip;
  clip.id = stem;
  clip.corpus = corpus;
  clip.label = label;
  clip.speaker = std::string(corpus) + "-" + std::string(speaker);
  clip.language = corpus == "emodb" ? "de" : "en";
  return clip;
}

// MM-VC-EE-II-SS-RR-AA: modality, vocal channel, emotion, intensity, statement, repetition, actor.
std::optional<ParsedName> parse_ravdess(std::string_view stem) {
  const auto parts = split_at(stem, '-');
  if (parts.size() != 7 || parts[0] != "03") return std::nullopt;
  const int channel = number_of(parts[1], 2, 1, 2), emotion = number_of(parts[2], 2, 1, 8);
  const int intensity = number_of(parts[3], 2, 1, 2), statement = number_of(parts[4], 2, 1, 2);
  const int repetition = number_of(parts[5], 2, 1, 2), actor = number_of(parts[6], 2, 1, 24);
  if (std::min({channel, emotion, intensity, statement, repetition, actor}) < 1) return std::nullopt;
  const bool song = channel == 2;
  if (emotion == 1 && intensity == 2) return std::nullopt;  // neutral was never spoken strongly
  if (song && emotion > 6) return std::nullopt;             // nor sung with disgust or surprise
  ParsedName parsed;
  parsed.song = song;
  parsed.clip =
      named_clip("ravdess", stem, corpus_info("ravdess").labels[static_cast<std::size_t>(emotion - 1)], parts[6]);
  parsed.clip.sex = actor % 2 == 1 ? "male" : "female";
  parsed.clip.intensity = intensity == 2 ? "strong" : "normal";
  parsed.clip.statement = statement == 1 ? "Kids are talking by the door" : "Dogs are sitting by the door";
  parsed.clip.repetition = std::to_string(repetition);
  return parsed;
}

// Sex of actors 1001-1091 (VideoDemographics.csv of CREMA-D).
constexpr std::string_view cremad_sexes =
    "MFFFMFFFFFMFFMMMMFMFFMMFFMMFFFMMMMMMFMMMMMFMMFFMFMMFFFFFMFMFFMFMMMMMMMMFFFFFMFFMMFMFMMMMFMF";
static_assert(cremad_sexes.size() == 91);

std::optional<ParsedName> parse_cremad(std::string_view stem) {
  static constexpr std::array<Code, 12> sentences = {{{"IEO", "It's eleven o'clock"},
                                                      {"TIE", "That is exactly what happened"},
                                                      {"IOM", "I'm on my way to the meeting"},
                                                      {"IWW", "I wonder what this is about"},
                                                      {"TAI", "The airplane is almost full"},
                                                      {"MTI", "Maybe tomorrow it will be cold"},
                                                      {"IWL", "I would like a new alarm clock"},
                                                      {"ITH", "I think I have a doctor's appointment"},
                                                      {"DFA", "Don't forget a jacket"},
                                                      {"ITS", "I think I've seen this before"},
                                                      {"TSI", "The surface is slick"},
                                                      {"WSI", "We'll stop in a couple of minutes"}}};
  static constexpr std::array<Code, 6> emotions = {
      {{"ANG", "angry"}, {"DIS", "disgust"}, {"FEA", "fearful"}, {"HAP", "happy"}, {"NEU", "neutral"}, {"SAD", "sad"}}};
  static constexpr std::array<Code, 4> levels = {
      {{"LO", "low"}, {"MD", "medium"}, {"HI", "high"}, {"XX", "unspecified"}}};
  const auto parts = split_at(stem, '_');
  if (parts.size() != 4) return std::nullopt;
  const int actor = number_of(parts[0], 4, 1001, 1091);
  const auto sentence = word_of(sentences, parts[1]), label = word_of(emotions, parts[2]),
             level = word_of(levels, parts[3]);
  if (actor < 0 || sentence.empty() || label.empty() || level.empty()) return std::nullopt;
  if (parts[3] != "XX" && parts[1] != "IEO") return std::nullopt;  // only this sentence was spoken at three levels
  ParsedName parsed;
  parsed.clip = named_clip("cremad", stem, label, parts[0]);
  parsed.clip.sex = cremad_sexes[static_cast<std::size_t>(actor - 1001)] == 'M' ? "male" : "female";
  parsed.clip.statement = sentence;
  if (parts[3] != "XX") parsed.clip.intensity = level;
  return parsed;
}

std::optional<ParsedName> parse_tess(std::string_view stem) {
  static constexpr std::array<Code, 7> emotions = {{{"angry", "angry"},
                                                    {"disgust", "disgust"},
                                                    {"fear", "fearful"},
                                                    {"happy", "happy"},
                                                    {"neutral", "neutral"},
                                                    {"sad", "sad"},
                                                    {"ps", "surprised"}}};
  const auto parts = split_at(stem, '_');
  if (parts.size() != 3 || parts[1].empty()) return std::nullopt;
  // The published set has one name with a letter missing: OA_bite_neutral.
  const std::string_view speaker = parts[0] == "OA" ? "OAF" : parts[0];
  const auto label = word_of(emotions, parts[2]);
  const bool word = std::all_of(parts[1].begin(), parts[1].end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if ((speaker != "OAF" && speaker != "YAF") || label.empty() || !word) return std::nullopt;
  ParsedName parsed;
  parsed.clip = named_clip("tess", stem, label, speaker);
  parsed.clip.sex = "female";
  parsed.clip.statement = parts[1];
  return parsed;
}

std::optional<ParsedName> parse_savee(std::string_view stem) {
  static constexpr std::array<Code, 7> emotions = {{{"a", "angry"},
                                                    {"d", "disgust"},
                                                    {"f", "fearful"},
                                                    {"h", "happy"},
                                                    {"n", "neutral"},
                                                    {"sa", "sad"},
                                                    {"su", "surprised"}}};
  const auto parts = split_at(stem, '_');
  if (parts.size() != 2 || parts[1].size() < 3) return std::nullopt;
  const std::string_view speaker = parts[0], code = parts[1].substr(0, parts[1].size() - 2);
  const auto label = word_of(emotions, code);
  if (speaker != "DC" && speaker != "JE" && speaker != "JK" && speaker != "KL") return std::nullopt;
  const int sentence = number_of(parts[1].substr(parts[1].size() - 2), 2, 1, code == "n" ? 30 : 15);
  if (label.empty() || sentence < 1) return std::nullopt;
  ParsedName parsed;
  parsed.clip = named_clip("savee", stem, label, speaker);
  parsed.clip.sex = "male";
  parsed.clip.statement = parts[1];
  return parsed;
}

std::optional<ParsedName> parse_emodb(std::string_view stem) {
  static constexpr std::array<Code, 7> emotions = {{{"W", "angry"},
                                                    {"E", "disgust"},
                                                    {"A", "fearful"},
                                                    {"F", "happy"},
                                                    {"N", "neutral"},
                                                    {"T", "sad"},
                                                    {"L", "boredom"}}};
  static constexpr std::array<Code, 10> speakers = {{{"03", "male"},
                                                     {"08", "female"},
                                                     {"09", "female"},
                                                     {"10", "male"},
                                                     {"11", "male"},
                                                     {"12", "male"},
                                                     {"13", "female"},
                                                     {"14", "female"},
                                                     {"15", "male"},
                                                     {"16", "female"}}};
  static constexpr std::string_view texts = "a01 a02 a04 a05 a07 b01 b02 b03 b09 b10";
  if (stem.size() != 7) return std::nullopt;
  const auto sex = word_of(speakers, stem.substr(0, 2)), label = word_of(emotions, stem.substr(5, 1));
  const std::string_view text = stem.substr(2, 3);
  const bool known_text = is_digits(text.substr(1)) && texts.find(text) != std::string_view::npos;
  if (sex.empty() || label.empty() || !known_text || stem[6] < 'a' || stem[6] > 'z') return std::nullopt;
  ParsedName parsed;
  parsed.clip = named_clip("emodb", stem, label, stem.substr(0, 2));
  parsed.clip.sex = sex;
  parsed.clip.statement = text;
  parsed.clip.repetition = stem.substr(6);
  return parsed;
}

// Audio files below root in sorted order.
std::vector<fs::path> audio_files(const std::string& root) {
  std::error_code failed;
  if (!fs::is_directory(root, failed)) throw Error(ErrorCode::not_found, root, "not a folder");
  std::vector<fs::path> files;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, failed), end;
  if (failed) throw Error(ErrorCode::input, root, "cannot list the folder").got(failed.message());
  while (it != end) {
    const std::string name = it->path().filename().string();
    const bool hidden = name.empty() || name[0] == '.' || name == "__MACOSX";
    if (hidden || it.depth() > 16) {
      it.disable_recursion_pending();
    } else if (is_audio_file_name(name) && it->is_regular_file(failed)) {
      files.push_back(it->path());
    }
    it.increment(failed);
    if (failed) throw Error(ErrorCode::input, root, "cannot list the folder").got(failed.message());
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.generic_string() < b.generic_string(); });
  return files;
}

// SAVEE's own archive has the speaker as the folder: DC/a01.wav.
std::optional<ParsedName> parse_path(const std::string& corpus, const fs::path& path) {
  const std::string stem = path.stem().string();
  auto parsed = parse_file_name(corpus, stem);
  if (!parsed && corpus == "savee") {
    parsed = parse_file_name(corpus, path.parent_path().filename().string() + "_" + stem);
  }
  return parsed;
}

// First existing file of this name in root, its parent, or a folder cremad_meta in either.
std::string cremad_table(const std::string& root, const std::string& name) {
  std::error_code failed;
  const std::string meta = folder_near(root, "cremad_meta");
  for (const fs::path& folder : {fs::path(root), fs::path(root) / "..", fs::path(meta.empty() ? root : meta)}) {
    if (fs::is_regular_file(folder / name, failed)) return (folder / name).string();
  }
  return "";
}

void add_cremad_sex(Manifest& manifest) {
  const std::string path = cremad_table(manifest.root, "VideoDemographics.csv");
  if (path.empty()) return;
  const CsvTable table = read_csv(path);
  const std::size_t id = table.column({"actorid"}), sex = table.column({"sex"});
  std::map<std::string, std::string> sexes;
  for (const auto& row : table.rows) sexes["cremad-" + row[id]] = lower_case(row[sex]);
  for (Clip& clip : manifest.clips) {
    const auto found = sexes.find(clip.speaker);
    if (found != sexes.end() && (found->second == "male" || found->second == "female")) clip.sex = found->second;
  }
}

void add_cremad_votes(Manifest& manifest) {
  const std::string path = cremad_table(manifest.root, "tabulatedVotes.csv");
  if (!path.empty()) add_votes(manifest, read_votes(path));
}

}  // namespace

std::optional<ParsedName> parse_file_name(std::string_view corpus, std::string_view stem) {
  if (corpus == "ravdess") return parse_ravdess(stem);
  if (corpus == "cremad") return parse_cremad(stem);
  if (corpus == "tess") return parse_tess(stem);
  if (corpus == "savee") return parse_savee(stem);
  if (corpus == "emodb") return parse_emodb(stem);
  corpus_info(corpus);
  return std::nullopt;
}

bool is_audio_file_name(std::string_view file_name) {
  static constexpr std::array<std::string_view, 8> endings = {"wav", "flac", "ogg",  "opus",
                                                              "oga", "mp3",  "aiff", "aif"};
  const std::size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  return std::find(endings.begin(), endings.end(), lower_case(file_name.substr(dot + 1))) != endings.end();
}

Manifest build_corpus(const std::string& corpus, const std::string& root, const BuildOptions& options) {
  const CorpusInfo& info = corpus_info(corpus);
  Manifest manifest;
  manifest.name = info.name;
  manifest.root = root;
  manifest.labels = info.labels;
  std::unordered_set<std::string> seen;
  for (const fs::path& path : audio_files(root)) {
    auto parsed = parse_path(corpus, path);
    if (!parsed) {
      manifest.skipped.push_back({path.string(), "the name is not one of " + info.title});
    } else if (parsed->song && !options.songs) {
      ++manifest.left_out["song"];
    } else if (!seen.insert(parsed->clip.id).second) {
      ++manifest.left_out["second copy"];
    } else {
      parsed->clip.path = path.string();
      manifest.clips.push_back(std::move(parsed->clip));
    }
  }
  if (manifest.clips.empty()) {
    throw Error(ErrorCode::not_found, root, "holds no clip of " + info.title)
        .hint(std::to_string(manifest.skipped.size()) + " audio files have other names");
  }
  if (corpus == "cremad") {
    add_cremad_sex(manifest);
    add_cremad_votes(manifest);
  }
  return manifest;
}

}  // namespace serene
