#include "serene/data/manifest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "serene/core/error.h"
#include "serene/data/corpora.h"
#include "serene/data/csv.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

enum Field {
  f_path,
  f_label,
  f_speaker,
  f_sex,
  f_corpus,
  f_id,
  f_statement,
  f_intensity,
  f_repetition,
  f_language,
  f_count
};

const std::array<std::vector<std::string_view>, f_count>& field_names() {
  static const std::array<std::vector<std::string_view>, f_count> names = {{
      {"path", "wav", "file", "filename", "audio"},
      {"label", "emotion", "emo"},
      {"speaker", "spk", "speaker_id", "actor"},
      {"sex", "gender"},
      {"corpus", "dataset"},
      {"id", "key"},
      {"statement", "text"},
      {"intensity", "level"},
      {"repetition"},
      {"language", "lang"},
  }};
  return names;
}

// One line of a manifest, whatever its form.
struct Row {
  std::size_t line = 0;
  std::array<std::string, f_count> fields;
  std::map<std::string, double> votes;
};

// A value as text: whole numbers are taken too (speakers and ids often are).
std::string text_of(const Json& value, const std::string& where, const std::string& key) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  throw Error(ErrorCode::input, where, "field '" + key + "' has the wrong type").expected("text").got(json_type(value));
}

std::map<std::string, double> votes_of(const Json& value, const std::string& where) {
  std::map<std::string, double> votes;
  if (!value.is_object()) throw Error(ErrorCode::input, where, "votes is no object").got(json_type(value));
  for (const auto& [label, share] : value.items()) {
    if (!share.is_number() || !std::isfinite(share.get<double>()) || share.get<double>() < 0) {
      throw Error(ErrorCode::input, where, "a vote is no number of at least 0").got(printable(label));
    }
    votes[canonical_label(label)] = share.get<double>();
  }
  return votes;
}

Row row_from_json(std::string_view text, const std::string& where, std::size_t line) {
  const Json json = parse_json(text, where);
  if (!json.is_object()) throw Error(ErrorCode::input, where, "not a JSON object").got(json_type(json));
  Row row;
  row.line = line;
  for (int f = 0; f < f_count; ++f) {
    for (const std::string_view name : field_names()[static_cast<std::size_t>(f)]) {
      const std::string key(name);
      if (!json.contains(key)) continue;
      row.fields[static_cast<std::size_t>(f)] = text_of(json.at(key), where, key);
      break;
    }
  }
  if (json.contains("votes")) row.votes = votes_of(json.at("votes"), where);
  for (const std::string& field : row.fields) {
    if (!is_clean_text(field)) throw Error(ErrorCode::input, where, "NUL byte or invalid UTF-8");
  }
  return row;
}

std::vector<Row> rows_from_jsonl(std::string_view text, const std::string& path) {
  std::vector<Row> rows;
  std::size_t line = 0;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = path + ":" + std::to_string(++line);
    if (one.size() > max_line_bytes) throw Error(ErrorCode::input, where, "line is longer than 1 MiB");
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!is_clean_text(one)) throw Error(ErrorCode::input, where, "NUL byte or invalid UTF-8");
    if (rows.size() == max_table_rows) throw Error(ErrorCode::input, where, "more than a million clips");
    rows.push_back(row_from_json(one, where, line));
  }
  return rows;
}

std::vector<Row> rows_from_csv(std::string_view text, const std::string& path) {
  CsvTable table = parse_csv(text, path);
  std::array<std::size_t, f_count> columns;
  for (std::size_t f = 0; f < f_count; ++f) columns[f] = table.find(field_names()[f]);
  table.column(field_names()[f_path]);
  table.column(field_names()[f_label]);
  std::vector<Row> rows(table.rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].line = table.lines[i];
    for (std::size_t f = 0; f < f_count; ++f) {
      if (columns[f] != CsvTable::npos) rows[i].fields[f] = std::move(table.rows[i][columns[f]]);
    }
  }
  return rows;
}

// The nearest folder from `folder` upwards in which the file exists decides; without any, `folder` itself.
std::string resolve(const fs::path& folder, const std::string& written) {
  const fs::path path(written);
  if (path.is_absolute()) return written;
  std::error_code failed;
  fs::path base = folder;
  for (int up = 0; up <= 6; ++up) {
    if (fs::exists(base / path, failed)) return (base / path).lexically_normal().string();
    const fs::path parent = fs::absolute(base, failed).lexically_normal().parent_path();
    if (failed || parent == base) break;
    base = parent;
  }
  return (folder / path).lexically_normal().string();
}

std::string sex_word(const std::string& text) {
  const std::string word = lower_case(text);
  if (word == "m" || word == "male" || word == "man") return "male";
  if (word == "f" || word == "female" || word == "woman") return "female";
  return "";
}

// What the row leaves out and the file name tells.
void fill_from_name(Clip& clip) {
  if (find_corpus(clip.corpus) == nullptr) return;
  const auto parsed = parse_file_name(clip.corpus, fs::path(clip.path).stem().string());
  if (!parsed) return;
  const Clip& named = parsed->clip;
  for (const auto member : {&Clip::sex, &Clip::statement, &Clip::intensity, &Clip::repetition, &Clip::language}) {
    if ((clip.*member).empty()) clip.*member = named.*member;
  }
  if (clip.speaker.empty()) clip.speaker = named.speaker;
}

class LabelChooser {
 public:
  explicit LabelChooser(const std::vector<std::string>& accepted) : accepted_(accepted) {}

  // The manifest's word for a written label; std::nullopt when it is not accepted.
  std::optional<std::string> choose(const std::string& written) const {
    if (accepted_.empty()) return canonical_label(written);
    for (const std::string& label : accepted_) {
      if (label == written) return label;
    }
    for (const std::string& label : accepted_) {
      if (canonical_label(label) == canonical_label(written)) return label;
    }
    return std::nullopt;
  }

  std::string list() const {
    std::string out;
    for (const std::string& label : accepted_) out += (out.empty() ? "" : ", ") + label;
    return out;
  }

 private:
  const std::vector<std::string>& accepted_;
};

// The clip of a row, its label as it is written.
Clip clip_from_row(const Row& row, const std::string& where, const fs::path& folder) {
  const std::string& written = row.fields[f_path];
  if (written.empty()) throw Error(ErrorCode::input, where, "no path").expected("a field path, wav, file or audio");
  if (written.size() > 4096) throw Error(ErrorCode::input, where, "path is longer than 4096 bytes");
  if (row.fields[f_label].empty())
    throw Error(ErrorCode::input, where, "no label").expected("a field label, emotion or emo");
  Clip clip;
  clip.path = resolve(folder, written);
  clip.id = row.fields[f_id];
  clip.label = row.fields[f_label];
  clip.corpus = row.fields[f_corpus];
  clip.speaker = row.fields[f_speaker];
  clip.sex = row.fields[f_sex];
  clip.statement = row.fields[f_statement];
  clip.intensity = row.fields[f_intensity];
  clip.repetition = row.fields[f_repetition];
  clip.language = row.fields[f_language];
  clip.votes = row.votes;
  return clip;
}

// Labels that occur, those of the shared vocabulary first.
std::vector<std::string> ordered_labels(const std::set<std::string>& found) {
  std::vector<std::string> labels;
  for (const std::string& word : emotion_vocabulary()) {
    if (found.count(word) != 0) labels.push_back(word);
  }
  for (const std::string& word : found) {
    if (std::find(labels.begin(), labels.end(), word) == labels.end()) labels.push_back(word);
  }
  return labels;
}

}  // namespace

int Manifest::label_index(std::string_view label) const noexcept {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == label) return static_cast<int>(i);
  }
  return -1;
}

const std::vector<std::string>& emotion_vocabulary() {
  static const std::vector<std::string> words = {"angry", "disgust",   "fearful", "happy",  "neutral",
                                                 "sad",   "surprised", "calm",    "boredom"};
  return words;
}

std::string canonical_label(std::string_view text) {
  static const std::map<std::string, std::string> words = {
      {"anger", "angry"},        {"ang", "angry"},
      {"disgusted", "disgust"},  {"dis", "disgust"},
      {"fear", "fearful"},       {"fea", "fearful"},
      {"happiness", "happy"},    {"hap", "happy"},
      {"neu", "neutral"},        {"sadness", "sad"},
      {"surprise", "surprised"}, {"sur", "surprised"},
      {"ps", "surprised"},       {"pleasant surprise", "surprised"},
      {"cal", "calm"},           {"pleasant_surprise", "surprised"},
      {"bored", "boredom"},      {"bor", "boredom"},
  };
  const std::string word = lower_case(text);
  const auto& vocabulary = emotion_vocabulary();
  if (std::find(vocabulary.begin(), vocabulary.end(), word) != vocabulary.end()) return word;
  const auto found = words.find(word);
  return found != words.end() ? found->second : std::string(text);
}

Manifest read_manifest(const std::string& path, const std::vector<std::string>& labels) {
  const std::string text = read_text(path, std::size_t{256} << 20);
  const fs::path file(path);
  const bool csv = lower_case(file.extension().string()) == ".csv";
  const std::vector<Row> rows = csv ? rows_from_csv(text, path) : rows_from_jsonl(text, path);
  if (rows.empty()) throw Error(ErrorCode::input, path, "the manifest holds no clip");

  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const auto place = [&](std::size_t i) { return path + ":" + std::to_string(rows[i].line); };
  std::unordered_set<std::string> ids;
  std::vector<Clip> clips;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Clip clip = clip_from_row(rows[i], place(i), folder);
    if (clip.id.empty()) {
      clip.id = fs::path(clip.path).stem().string();
      if (ids.count(clip.id) != 0) clip.id = rows[i].fields[f_path];
    }
    ids.insert(clip.id);
    clips.push_back(std::move(clip));
  }
  Manifest manifest = manifest_of_clips(file.stem().string(), std::move(clips), labels, place);
  manifest.root = folder.string();
  return manifest;
}

Manifest manifest_of_clips(const std::string& name, std::vector<Clip> clips, const std::vector<std::string>& labels,
                           const std::function<std::string(std::size_t)>& place) {
  Manifest manifest;
  manifest.name = name;
  const LabelChooser chooser(labels);
  std::unordered_map<std::string, std::size_t> place_of_id;
  std::set<std::string> found;
  for (std::size_t i = 0; i < clips.size(); ++i) {
    Clip& clip = clips[i];
    const auto label = chooser.choose(clip.label);
    if (!label) {
      throw Error(ErrorCode::input, place(i), "unknown label '" + printable(clip.label) + "'").expected(chooser.list());
    }
    const auto [first, fresh] = place_of_id.emplace(clip.id, i);
    if (!fresh) {
      throw Error(ErrorCode::input, place(i), "id '" + printable(clip.id) + "' stands twice")
          .hint("first in " + place(first->second));
    }
    clip.label = *label;
    clip.sex = sex_word(clip.sex);
    fill_from_name(clip);
    if (clip.corpus.empty()) clip.corpus = name;
    found.insert(clip.label);
  }
  manifest.labels = labels.empty() ? ordered_labels(found) : labels;
  manifest.clips = std::move(clips);
  return manifest;
}

Json clip_to_json(const Clip& clip) {
  Json json = {{"id", clip.id}, {"path", clip.path}, {"label", clip.label}};
  const std::pair<const char*, const std::string*> optional[] = {
      {"speaker", &clip.speaker},     {"sex", &clip.sex},
      {"corpus", &clip.corpus},       {"statement", &clip.statement},
      {"intensity", &clip.intensity}, {"repetition", &clip.repetition},
      {"language", &clip.language},
  };
  for (const auto& [key, value] : optional) {
    if (!value->empty()) json[key] = *value;
  }
  if (!clip.votes.empty()) json["votes"] = clip.votes;
  return json;
}

void write_manifest(const Manifest& manifest, const std::string& path) {
  const fs::path folder = fs::absolute(fs::path(path)).lexically_normal().parent_path();
  std::string text;
  for (const Clip& clip : manifest.clips) {
    Json json = clip_to_json(clip);
    const fs::path audio = fs::absolute(clip.path).lexically_normal();
    const std::string relative = audio.lexically_relative(folder).generic_string();
    json["path"] = relative.empty() || relative.substr(0, 2) == ".." ? audio.generic_string() : relative;
    text += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file_atomic(path, text);
}

Manifest subset(const Manifest& manifest, std::span<const std::size_t> clips) {
  Manifest part;
  part.name = manifest.name;
  part.root = manifest.root;
  part.labels = manifest.labels;
  part.skipped = manifest.skipped;
  part.left_out = manifest.left_out;
  part.clips.reserve(clips.size());
  for (const std::size_t clip : clips) part.clips.push_back(manifest.clips.at(clip));
  return part;
}

Manifest merge(std::span<const Manifest> parts, bool shared_only) {
  std::map<std::string, std::size_t> times;
  for (const Manifest& part : parts) {
    for (const std::string& label : part.labels) ++times[label];
  }
  std::set<std::string> kept;
  for (const auto& [label, n] : times) {
    if (!shared_only || n == parts.size()) kept.insert(label);
  }
  Manifest all;
  all.labels = ordered_labels(kept);
  std::unordered_map<std::string, std::size_t> uses;
  for (const Manifest& part : parts) {
    all.name += (all.name.empty() ? "" : "+") + part.name;
    all.root += (all.root.empty() ? "" : ":") + part.root;
    for (const Clip& clip : part.clips) ++uses[clip.id];
  }
  if (kept.empty()) throw Error(ErrorCode::input, all.name, "the corpora share no label");
  for (const Manifest& part : parts) {
    for (Clip clip : part.clips) {
      if (kept.count(clip.label) == 0) {
        ++all.left_out["label " + clip.label + " of " + part.name + " alone"];
        continue;
      }
      if (uses[clip.id] > 1) clip.id = part.name + "/" + clip.id;
      all.clips.push_back(std::move(clip));
    }
    all.skipped.insert(all.skipped.end(), part.skipped.begin(), part.skipped.end());
    for (const auto& [reason, n] : part.left_out) all.left_out[reason] += n;
  }
  std::unordered_set<std::string> seen;
  for (const Clip& clip : all.clips) {
    if (!seen.insert(clip.id).second) throw Error(ErrorCode::input, all.name, "clip '" + clip.id + "' comes twice");
  }
  return all;
}

std::vector<std::size_t> label_counts(const Manifest& manifest) {
  std::vector<std::size_t> counts(manifest.labels.size(), 0);
  for (const Clip& clip : manifest.clips) {
    const int label = manifest.label_index(clip.label);
    if (label >= 0) ++counts[static_cast<std::size_t>(label)];
  }
  return counts;
}

std::vector<std::string> speakers_of(const Manifest& manifest) {
  std::set<std::string> speakers;
  for (const Clip& clip : manifest.clips) speakers.insert(clip.speaker);
  return {speakers.begin(), speakers.end()};
}

}  // namespace serene
