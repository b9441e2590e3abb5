#include "serene/data/check.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <unordered_map>

#include "serene/core/error.h"
#include "serene/data/content.h"
#include "serene/data/corpora.h"
#include "serene/data/csv.h"
#include "serene/io/file.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

// What one clip's file says; nothing else is kept of its audio.
struct Finding {
  AudioContent content;
  int rate_hz = 0, channels = 0;
  bool missing = false, changed = false, compared = false;
  std::string broken;  // reason, "" when sound
};

using PublishedSums = std::map<std::string, std::string>;  // file name -> SHA-256

// Lines "<64 hex digits> <file name> ..." of the corpus' list in a folder `checksums` at, beside or above root.
PublishedSums published_sums(const Manifest& manifest) {
  static const std::map<std::string, std::string> lists = {{"ravdess", "ravdess_speech.sha256"},
                                                           {"cremad", "cremad_audiowav.sha256"},
                                                           {"emodb", "emodb.sha256"},
                                                           {"tess", "tess.sha256"}};
  PublishedSums sums;
  const auto list = lists.find(manifest.name);
  if (list == lists.end()) return sums;
  for (const char* up : {".", "..", "../.."}) {
    const fs::path path = fs::path(manifest.root) / up / "checksums" / list->second;
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) continue;
    try {
      std::istringstream text(read_text(path.string()));
      for (std::string line; std::getline(text, line);) {
        std::istringstream fields(line);
        std::string hash, name;
        if (fields >> hash >> name && hash.size() == 64) sums[name] = hash;
      }
    } catch (const Error&) {
      sums.clear();  // an unreadable list is no fault of the corpus
    }
    break;
  }
  return sums;
}

Finding examine(const Clip& clip, const PublishedSums& sums) {
  Finding finding;
  try {
    const auto published = sums.find(fs::path(clip.path).filename().string());
    if (published != sums.end()) {
      finding.compared = true;
      finding.changed = sha256_file(clip.path) != published->second;
    }
    const Wave wave = read_wave(clip.path);
    finding.rate_hz = wave.rate_hz;
    finding.channels = wave.channels;
    finding.content = content_of(wave);
    if (finding.content.silent) finding.broken = "silent: no audio in the file";
  } catch (const Error& error) {
    finding.missing = error.code() == ErrorCode::not_found;
    finding.compared = false;
    finding.broken = reason_of(error, clip.path);
  } catch (const std::exception& error) {
    finding.broken = printable(error.what());
  }
  return finding;
}

// Compares the ids with the published list, where there is one.
void compare_names(DataReport& report, const Manifest& manifest, const PublishedSums& sums) {
  if (sums.empty()) return;
  std::set<std::string> published, present;
  for (const auto& [name, hash] : sums) published.insert(fs::path(name).stem().string());
  for (const Clip& clip : manifest.clips) {
    const std::string stem = fs::path(clip.path).stem().string();
    present.insert(stem);
    if (published.count(stem) == 0) report.unexpected.push_back(clip.id);
  }
  for (const std::string& id : published) {
    if (present.count(id) == 0) report.missing.push_back(id);
  }
}

void collect_duplicates(DataReport& report, const Manifest& manifest, const std::vector<Finding>& findings) {
  std::map<std::string, std::vector<std::size_t>> by_hash;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (findings[i].broken.empty()) by_hash[findings[i].content.hash].push_back(i);
  }
  for (const auto& [hash, clips] : by_hash) {
    if (clips.size() < 2) continue;
    DuplicateGroup group;
    group.hash = hash;
    for (const std::size_t clip : clips) {
      group.ids.push_back(manifest.clips[clip].id);
      group.labels.push_back(manifest.clips[clip].label);
      if (group.labels.back() != group.labels.front()) group.contradictory = true;
    }
    report.duplicates.push_back(std::move(group));
  }
  std::sort(report.duplicates.begin(), report.duplicates.end(),
            [](const DuplicateGroup& a, const DuplicateGroup& b) { return a.ids < b.ids; });
}

void collect_findings(DataReport& report, const Manifest& manifest, const std::vector<Finding>& findings,
                      const CorpusInfo* info) {
  std::map<int, std::size_t> rates;
  std::vector<double> seconds;
  double sum = 0;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const Clip& clip = manifest.clips[i];
    const Finding& finding = findings[i];
    report.checksums_compared += finding.compared ? 1 : 0;
    if (finding.changed) report.changed.push_back(clip.id);
    if (finding.missing) {
      report.missing.push_back(clip.id);
      continue;
    }
    if (!finding.broken.empty()) {
      report.broken.push_back({clip.path, finding.broken});
      continue;
    }
    ++rates[finding.rate_hz];
    if (finding.channels > 1) report.stereo.push_back(clip.id);
    const double s = finding.content.seconds;
    seconds.push_back(s);
    sum += s;
    const bool odd = info != nullptr ? s < info->shortest_s || s > info->longest_s : s < 0.3 || s > 30;
    if (odd) report.odd_durations.push_back({clip.id, s});
  }
  report.rates.assign(rates.begin(), rates.end());
  if (seconds.empty()) return;
  std::sort(seconds.begin(), seconds.end());
  report.hours = sum / 3600;
  report.shortest_s = seconds.front();
  report.median_s = seconds[seconds.size() / 2];
  report.longest_s = seconds.back();
}

Json to_json(const std::vector<SkippedClip>& clips) {
  Json list = Json::array();
  for (const SkippedClip& clip : clips) list.push_back({{"path", clip.path}, {"reason", clip.reason}});
  return list;
}

// A heading with its number and at most max_rows lines below it; nothing when there are none.
void add_list(std::string& out, const std::string& heading, const std::vector<std::string>& lines,
              std::size_t max_rows) {
  if (lines.empty()) return;
  out += heading + " " + std::to_string(lines.size()) + "\n";
  for (std::size_t i = 0; i < std::min(max_rows, lines.size()); ++i) out += "    " + printable(lines[i], 300) + "\n";
  if (lines.size() > max_rows) out += "    ... and " + std::to_string(lines.size() - max_rows) + " more\n";
}

std::vector<std::string> lines_of(const std::vector<SkippedClip>& clips) {
  std::vector<std::string> lines;
  for (const SkippedClip& clip : clips) lines.push_back(clip.path + ": " + clip.reason);
  return lines;
}

std::string fixed(double value, int digits) {
  std::ostringstream out;
  out.setf(std::ios::fixed);
  out.precision(digits);
  out << value;
  return out.str();
}

std::string head_of_table(const DataReport& report) {
  const auto of = [](std::size_t n, std::size_t expected) {
    return std::to_string(n) + (expected > 0 ? " of " + std::to_string(expected) : "");
  };
  std::string out = report.name + "  " + printable(report.root, 300) + "\n";
  out += "clips      " + of(report.clips, report.expected_clips) + "\n";
  out += "speakers   " + of(report.speakers, report.expected_speakers) + "\n";
  for (std::size_t i = 0; i < report.labels.size(); ++i) {
    const std::size_t expected = report.expected_label_clips.empty() ? 0 : report.expected_label_clips[i];
    std::string name = "  " + printable(report.labels[i], 40);
    name.resize(std::max<std::size_t>(name.size() + 1, 13), ' ');
    out += name + of(report.label_clips[i], expected) + "\n";
  }
  out += "audio      " + fixed(report.hours, 2) + " h; clips of " + fixed(report.shortest_s, 2) + " to " +
         fixed(report.longest_s, 2) + " s, median " + fixed(report.median_s, 2) + " s\n";
  for (const auto& [rate, n] : report.rates)
    out += "rate       " + std::to_string(rate) + " Hz: " + std::to_string(n) + "\n";
  if (report.checksums_compared > 0) out += "checksums  " + std::to_string(report.checksums_compared) + " compared\n";
  for (const auto& [reason, n] : report.left_out) out += "left out   " + reason + ": " + std::to_string(n) + "\n";
  return out;
}

}  // namespace

std::size_t DataReport::contradictory() const noexcept {
  std::size_t n = 0;
  for (const DuplicateGroup& group : duplicates) n += group.contradictory ? 1 : 0;
  return n;
}

bool DataReport::clean() const noexcept {
  return missing.empty() && broken.empty() && changed.empty() && contradictory() == 0 && clips >= expected_clips;
}

DataReport check_corpus(const Manifest& manifest, ThreadPool& pool, const DataProgress& progress) {
  DataReport report;
  report.name = manifest.name;
  report.root = manifest.root;
  report.clips = manifest.clips.size();
  report.labels = manifest.labels;
  report.label_clips = label_counts(manifest);
  report.speakers = speakers_of(manifest).size();
  report.unnamed = manifest.skipped;
  report.left_out = manifest.left_out;
  const CorpusInfo* info = find_corpus(manifest.name);
  if (info != nullptr) {
    report.expected_clips = info->clips;
    report.expected_speakers = info->speakers;
    if (manifest.labels == info->labels) report.expected_label_clips = info->label_clips;
  }
  const PublishedSums sums = published_sums(manifest);
  compare_names(report, manifest, sums);
  std::vector<Finding> findings(manifest.clips.size());
  for_each_clip(pool, findings.size(), progress,
                [&](std::size_t i, int) { findings[i] = examine(manifest.clips[i], sums); });
  collect_findings(report, manifest, findings, info);
  collect_duplicates(report, manifest, findings);
  return report;
}

Json to_json(const DataReport& report) {
  Json json = {{"name", report.name},
               {"root", report.root},
               {"clean", report.clean()},
               {"clips", report.clips},
               {"expected_clips", report.expected_clips},
               {"speakers", report.speakers},
               {"expected_speakers", report.expected_speakers}};
  Json& labels = json["labels"] = Json::object();
  for (std::size_t i = 0; i < report.labels.size(); ++i) labels[report.labels[i]] = report.label_clips[i];
  json["hours"] = report.hours;
  json["seconds"] = {{"shortest", report.shortest_s}, {"median", report.median_s}, {"longest", report.longest_s}};
  Json& rates = json["rates_hz"] = Json::object();
  for (const auto& [rate, n] : report.rates) rates[std::to_string(rate)] = n;
  json["missing"] = report.missing;
  json["unexpected"] = report.unexpected;
  json["broken"] = to_json(report.broken);
  json["unnamed"] = to_json(report.unnamed);
  Json& duplicates = json["duplicates"] = Json::array();
  for (const DuplicateGroup& group : report.duplicates) {
    duplicates.push_back(
        {{"ids", group.ids}, {"labels", group.labels}, {"contradictory", group.contradictory}, {"sha256", group.hash}});
  }
  json["contradictory"] = report.contradictory();
  json["stereo"] = report.stereo;
  Json& odd = json["odd_durations"] = Json::array();
  for (const OddDuration& clip : report.odd_durations) odd.push_back({{"id", clip.id}, {"seconds", clip.seconds}});
  json["checksums_compared"] = report.checksums_compared;
  json["changed"] = report.changed;
  json["left_out"] = report.left_out;
  return json;
}

std::string to_table(const DataReport& report, std::size_t max_rows) {
  std::string out = head_of_table(report);
  std::vector<std::string> same, contradictory, odd;
  for (const DuplicateGroup& group : report.duplicates) {
    std::string line;
    for (std::size_t i = 0; i < group.ids.size(); ++i) {
      line += (line.empty() ? "" : " = ") + group.ids[i] + " (" + group.labels[i] + ")";
    }
    (group.contradictory ? contradictory : same).push_back(line);
  }
  for (const OddDuration& clip : report.odd_durations) odd.push_back(clip.id + ": " + fixed(clip.seconds, 3) + " s");
  add_list(out, "missing", report.missing, max_rows);
  add_list(out, "unexpected", report.unexpected, max_rows);
  add_list(out, "broken", lines_of(report.broken), max_rows);
  add_list(out, "changed (not the published bytes)", report.changed, max_rows);
  add_list(out, "contradictory (same audio, different labels)", contradictory, max_rows);
  add_list(out, "duplicate (same audio and label)", same, max_rows);
  add_list(out, "stereo", report.stereo, max_rows);
  add_list(out, "odd durations", odd, max_rows);
  add_list(out, "other names", lines_of(report.unnamed), max_rows);
  if (report.missing.empty() && report.clips < report.expected_clips) {
    out += "missing    " + std::to_string(report.expected_clips - report.clips) + " of the published number\n";
  }
  out += report.clean() ? "no defect that hurts training\n" : "";
  return out;
}

}  // namespace serene
