#include "serene/data/splits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "serene/data/folds.h"

namespace serene {
namespace {

using Clips = std::vector<std::size_t>;

// Streams of random numbers of this file: what is drawn, and the fold it is drawn for.
enum Draw : std::uint64_t { draw_validation = 1, draw_test = 2, draw_folds = 3, draw_rows = 4 };

struct Speaker {
  std::string name, sex;
};

// Distinct speakers in sorted order with their sex.
std::vector<Speaker> list_speakers(const Manifest& manifest) {
  std::map<std::string, std::string> sexes;
  for (const Clip& clip : manifest.clips) {
    if (clip.speaker.empty()) {
      throw Error(ErrorCode::input, manifest.name, "clip '" + clip.id + "' has no speaker")
          .hint("splits by speaker need one for every clip; random10 does without");
    }
    auto& sex = sexes[clip.speaker];
    if (sex.empty()) sex = clip.sex;
  }
  std::vector<Speaker> speakers;
  for (const auto& [name, sex] : sexes) speakers.push_back({name, sex});
  return speakers;
}

// `count` names at random, by turns from the sexes while both last.
std::set<std::string> draw_speakers(const std::vector<Speaker>& candidates, std::size_t count, Random& random) {
  std::array<std::vector<std::string>, 3> groups;
  for (const Speaker& s : candidates) groups[s.sex == "male" ? 0 : s.sex == "female" ? 1 : 2].push_back(s.name);
  for (auto& group : groups) random.shuffle(std::span<std::string>(group));
  std::set<std::string> drawn;
  std::array<std::size_t, 3> used{};
  // An odd place goes to the larger group.
  const std::size_t first = groups[1].size() > groups[0].size() ? 1 : 0;
  for (std::size_t turn = 0; drawn.size() < std::min(count, candidates.size()); ++turn) {
    const std::size_t wanted = turn % 2 == 0 ? first : 1 - first;
    for (const std::size_t g : {wanted, 1 - wanted, std::size_t{2}}) {
      if (used[g] == groups[g].size()) continue;
      drawn.insert(groups[g][used[g]++]);
      break;
    }
  }
  return drawn;
}

std::size_t share_of(std::size_t n, double fraction, std::size_t at_least) {
  const auto rounded = static_cast<std::size_t>(std::llround(static_cast<double>(n) * fraction));
  return std::max(rounded, at_least);
}

// The manifest's speakers that are written so; with `strict`, every written one must be there.
std::set<std::string> find_speakers(const std::vector<Speaker>& speakers, const std::vector<std::string>& written,
                                    bool strict) {
  std::set<std::string> found;
  for (const std::string& one : written) {
    const std::size_t before = found.size();
    for (const Speaker& s : speakers) {
      if (is_same_speaker(s.name, one)) found.insert(s.name);
    }
    if (strict && found.size() == before) {
      throw Error(ErrorCode::usage, "split", "speaker '" + printable(one) + "' is not in the corpus or stands twice");
    }
  }
  return found;
}

std::vector<Speaker> without(const std::vector<Speaker>& speakers, const std::set<std::string>& taken) {
  std::vector<Speaker> rest;
  for (const Speaker& s : speakers) {
    if (taken.count(s.name) == 0) rest.push_back(s);
  }
  return rest;
}

// corpus: clips of another one train; "" for none such.
Split split_by_speaker(const Manifest& manifest, const std::set<std::string>& test,
                       const std::set<std::string>& validation, const std::string& corpus = "") {
  Split split;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    const std::string& speaker = manifest.clips[i].speaker;
    const bool foreign = !corpus.empty() && manifest.clips[i].corpus != corpus;
    auto& part = foreign                          ? split.train
                 : test.count(speaker) != 0       ? split.test
                 : validation.count(speaker) != 0 ? split.validation
                                                  : split.train;
    part.push_back(i);
  }
  return split;
}

// The clips of this corpus.
Manifest clips_of_corpus(const Manifest& manifest, const std::string& corpus, const std::string& protocol) {
  Clips own;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    if (manifest.clips[i].corpus == corpus) own.push_back(i);
  }
  if (own.empty() && !manifest.clips.empty()) {
    throw Error(ErrorCode::usage, "protocol " + protocol, "the clips are of another corpus")
        .expected(corpus)
        .got(printable(manifest.clips[0].corpus));
  }
  return subset(manifest, own);
}

std::vector<Split> folds_of_speakers(const std::string& protocol, const Manifest& manifest,
                                     const SplitOptions& options) {
  const std::string corpus = protocol.substr(0, protocol.find('-'));
  const auto speakers = list_speakers(clips_of_corpus(manifest, corpus, protocol));
  const auto folds = options.folds_file.empty() ? built_in_folds(protocol) : read_folds(options.folds_file, protocol);
  std::vector<Split> splits;
  for (const SpeakerFold& fold : folds) {
    const auto test = find_speakers(speakers, fold.test, false);
    auto validation = find_speakers(speakers, fold.validation, false);
    const auto rest = without(speakers, test);
    if (validation.empty()) {
      // RAVDESS: two actors, as the protocol says; elsewhere a share of the training speakers.
      const std::size_t count =
          protocol.rfind("ravdess", 0) == 0 ? 2 : share_of(rest.size(), options.validation_fraction, 2);
      Random random(options.seed, Purpose::split, draw_validation, static_cast<std::uint64_t>(fold.fold));
      validation = draw_speakers(rest, count, random);
    }
    splits.push_back(split_by_speaker(manifest, test, validation, corpus));
    splits.back().fold = fold.fold;
  }
  return splits;
}

Split holdout(const Manifest& manifest, const SplitOptions& options) {
  const auto speakers = list_speakers(manifest);
  auto test = find_speakers(speakers, options.test_speakers, true);
  auto validation = find_speakers(speakers, options.validation_speakers, true);
  for (const std::string& name : test) {
    if (validation.count(name) != 0)
      throw Error(ErrorCode::usage, "split", "speaker " + name + " is to test and to validate");
  }
  if (test.empty()) {
    Random random(options.seed, Purpose::split, draw_test);
    test = draw_speakers(without(speakers, validation), share_of(speakers.size(), options.test_fraction, 1), random);
  }
  if (validation.empty()) {
    Random random(options.seed, Purpose::split, draw_validation);
    validation =
        draw_speakers(without(speakers, test), share_of(speakers.size(), options.validation_fraction, 1), random);
  }
  return split_by_speaker(manifest, test, validation);
}

Split cross(const Manifest& manifest, const SplitOptions& options) {
  if (options.train_corpus.empty() || options.test_corpus.empty() || options.train_corpus == options.test_corpus) {
    throw Error(ErrorCode::usage, "protocol cross", "needs two corpora").expected("train_corpus and test_corpus");
  }
  Manifest training;
  training.name = manifest.name;
  for (const Clip& clip : manifest.clips) {
    if (clip.corpus == options.train_corpus) training.clips.push_back(clip);
  }
  const auto speakers = list_speakers(training);
  Random random(options.seed, Purpose::split, draw_validation);
  const auto validation = draw_speakers(speakers, share_of(speakers.size(), options.validation_fraction, 1), random);
  Split split;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    const Clip& clip = manifest.clips[i];
    if (clip.corpus == options.test_corpus) {
      split.test.push_back(i);
    } else if (clip.corpus == options.train_corpus) {
      (validation.count(clip.speaker) != 0 ? split.validation : split.train).push_back(i);
    }
  }
  return split;
}

// Clips of equal content as one group, by the label of the group's first clip; groups in clip order.
std::map<int, std::vector<Clips>> groups_by_label(const Manifest& manifest, std::span<const std::string> contents) {
  std::vector<Clips> groups;
  std::unordered_map<std::string, std::size_t> group_of;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    if (!contents.empty()) {
      const auto [place, fresh] = group_of.emplace(contents[i], groups.size());
      if (!fresh) {
        groups[place->second].push_back(i);
        continue;
      }
    }
    groups.push_back({i});
  }
  std::map<int, std::vector<Clips>> by_label;
  for (Clips& group : groups)
    by_label[manifest.label_index(manifest.clips[group[0]].label)].push_back(std::move(group));
  return by_label;
}

void append(Clips& to, const Clips& clips) { to.insert(to.end(), clips.begin(), clips.end()); }

std::vector<Split> random_folds(const Manifest& manifest, const SplitOptions& options,
                                std::span<const std::string> contents) {
  if (options.folds < 2 || options.folds > 1000) {
    throw Error(ErrorCode::usage, "folds", "out of range").expected("2..1000").got(std::to_string(options.folds));
  }
  const auto folds = static_cast<std::size_t>(options.folds);
  std::vector<Split> splits(folds);
  Random dealing(options.seed, Purpose::split, draw_folds);
  std::size_t dealt = 0;  // goes on from label to label, so that the folds' sizes differ by little
  for (auto& [label, groups] : groups_by_label(manifest, contents)) {
    dealing.shuffle(std::span<Clips>(groups));
    for (std::size_t f = 0; f < folds; ++f) {
      std::vector<Clips> training;
      std::size_t n = 0;
      for (std::size_t g = 0; g < groups.size(); ++g) {
        if ((dealt + g) % folds == f) {
          append(splits[f].test, groups[g]);
        } else {
          training.push_back(groups[g]);
          n += groups[g].size();
        }
      }
      Random random(options.seed, Purpose::split, draw_validation, f * 1000 + static_cast<std::uint64_t>(label + 1));
      random.shuffle(std::span<Clips>(training));
      const std::size_t wanted = share_of(n, options.validation_fraction, n > 1 ? 1 : 0);
      std::size_t taken = 0;
      for (const Clips& group : training) {
        append(taken < wanted ? splits[f].validation : splits[f].train, group);
        if (taken < wanted) taken += group.size();
      }
    }
    dealt += groups.size();
  }
  for (std::size_t f = 0; f < folds; ++f) {
    splits[f].fold = static_cast<int>(f);
    for (Clips* part : {&splits[f].train, &splits[f].validation, &splits[f].test})
      std::sort(part->begin(), part->end());
  }
  return splits;
}

void require_fraction(const char* name, double value) {
  if (value > 0 && value < 1) return;
  throw Error(ErrorCode::usage, name, "out of range").expected("a number between 0 and 1").got(std::to_string(value));
}

void require_parts(const Split& split) {
  const std::pair<const char*, const Clips*> parts[] = {
      {"training", &split.train}, {"validation", &split.validation}, {"test", &split.test}};
  for (const auto& [name, part] : parts) {
    if (part->empty()) {
      throw Error(ErrorCode::input, split.name, std::string("the ") + name + " part is empty")
          .hint("the corpus has too few clips or speakers for this split");
    }
  }
}

}  // namespace

const std::vector<std::string>& protocol_names() {
  static const std::vector<std::string> names = {"ravdess-luna5", "ravdess-emobox6", "cremad-hicmae5",
                                                 "random10",      "holdout",         "cross"};
  return names;
}

bool keeps_speakers_apart(const std::string& protocol) { return protocol != "random10" && protocol != "kaggle-leaky"; }

std::vector<Split> make_splits(const std::string& protocol, const Manifest& manifest, const SplitOptions& options,
                               std::span<const std::string> contents) {
  require_fraction("test_fraction", options.test_fraction);
  require_fraction("validation_fraction", options.validation_fraction);
  if (!contents.empty() && contents.size() != manifest.clips.size()) {
    throw Error(ErrorCode::internal, "make_splits", "contents do not fit the clips");
  }
  std::vector<Split> splits;
  if (protocol == "random10") {
    splits = random_folds(manifest, options, contents);
  } else if (protocol == "holdout") {
    splits.push_back(holdout(manifest, options));
  } else if (protocol == "cross") {
    splits.push_back(cross(manifest, options));
  } else if (std::find(protocol_names().begin(), protocol_names().end(), protocol) != protocol_names().end()) {
    splits = folds_of_speakers(protocol, manifest, options);
  } else {
    std::string names;
    for (const std::string& name : protocol_names()) names += (names.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::usage, "protocol", "unknown protocol '" + printable(protocol) + "'").expected(names);
  }
  for (Split& split : splits) {
    split.protocol = protocol;
    split.name = splits.size() == 1 ? protocol : protocol + " fold " + std::to_string(split.fold);
    require_parts(split);
    verify_split(split, manifest, contents);
  }
  return splits;
}

std::pair<Clips, Clips> random_rows(std::size_t n, double test_fraction, std::uint64_t seed) {
  require_fraction("test_fraction", test_fraction);
  if (n < 2) throw Error(ErrorCode::input, "rows", "too few to split").expected("at least 2").got(std::to_string(n));
  const std::size_t test = std::min(share_of(n, test_fraction, 1), n - 1);
  const Clips order = Random(seed, Purpose::split, draw_rows).permutation(n);
  std::pair<Clips, Clips> rows;
  rows.second.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(test));
  rows.first.assign(order.begin() + static_cast<std::ptrdiff_t>(test), order.end());
  std::sort(rows.first.begin(), rows.first.end());
  std::sort(rows.second.begin(), rows.second.end());
  return rows;
}

}  // namespace serene
