#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "serene/data/corpora.h"
#include "serene/data/csv.h"
#include "serene/data/folds.h"
#include "serene/data/splits.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

void add(Manifest& manifest, const std::string& stem) {
  manifest.clips.push_back(parse_file_name(manifest.name, stem)->clip);
}

std::string two(int n) { return (n < 10 ? "0" : "") + std::to_string(n); }

// All 1440 names of RAVDESS.
Manifest ravdess() {
  Manifest manifest;
  manifest.name = "ravdess";
  manifest.labels = corpus_info("ravdess").labels;
  for (int actor = 1; actor <= 24; ++actor)
    for (int emotion = 1; emotion <= 8; ++emotion)
      for (int rest = 0; rest < (emotion == 1 ? 4 : 8); ++rest)
        add(manifest, "03-01-" + two(emotion) + "-" + two(1 + rest / 4) + "-" + two(1 + rest / 2 % 2) + "-" +
                          two(1 + rest % 2) + "-" + two(actor));
  return manifest;
}

// 91 actors with twelve clips each.
Manifest cremad() {
  Manifest manifest;
  manifest.name = "cremad";
  manifest.labels = corpus_info("cremad").labels;
  for (int actor = 1001; actor <= 1091; ++actor)
    for (const char* sentence : {"DFA", "WSI"})
      for (const char* emotion : {"ANG", "DIS", "FEA", "HAP", "NEU", "SAD"})
        add(manifest, std::to_string(actor) + "_" + sentence + "_" + emotion + "_XX");
  return manifest;
}

std::set<std::string> speakers(const Manifest& manifest, const std::vector<std::size_t>& clips) {
  std::set<std::string> out;
  for (const std::size_t clip : clips) out.insert(manifest.clips[clip].speaker);
  return out;
}

// Every clip is tested in exactly one fold, and every fold uses all clips.
void check_partition(const Manifest& manifest, const std::vector<Split>& splits) {
  std::vector<int> tested(manifest.clips.size(), 0);
  for (const Split& split : splits) {
    CHECK(split.train.size() + split.validation.size() + split.test.size() == manifest.clips.size());
    for (const std::size_t clip : split.test) ++tested[clip];
    for (const auto* part : {&split.train, &split.validation, &split.test})
      CHECK(std::is_sorted(part->begin(), part->end()));
  }
  CHECK(std::all_of(tested.begin(), tested.end(), [](int n) { return n == 1; }));
}

std::set<std::string> sexes(const Manifest& manifest, const std::vector<std::size_t>& clips) {
  std::set<std::string> out;
  for (const std::size_t clip : clips) out.insert(manifest.clips[clip].sex);
  return out;
}

}  // namespace

TEST_CASE("RAVDESS folds: whole actors, two validation actors") {
  const Manifest manifest = ravdess();
  REQUIRE(manifest.clips.size() == 1440);
  for (const auto& one : {std::pair{"ravdess-luna5", 5}, std::pair{"ravdess-emobox6", 6}}) {
    const char* const protocol = one.first;
    const int count = one.second;
    CAPTURE(protocol);
    const auto splits = make_splits(protocol, manifest, {});
    CHECK(splits.size() == static_cast<std::size_t>(count));
    check_partition(manifest, splits);
    for (const Split& split : splits) {
      CHECK(speakers(manifest, split.validation).size() == 2);
      if (std::string(protocol) == "ravdess-emobox6") {
        CHECK(speakers(manifest, split.test).size() == 4);
        CHECK(sexes(manifest, split.validation).size() == 2);
      }
    }
    CHECK(make_splits(protocol, manifest, {}) == splits);
  }
  const auto luna = make_splits("ravdess-luna5", manifest, {});
  CHECK(speakers(manifest, luna[4].test) ==
        std::set<std::string>{"ravdess-01", "ravdess-04", "ravdess-09", "ravdess-22"});
  CHECK(speakers(manifest, luna[0].validation) == std::set<std::string>{"ravdess-03", "ravdess-06"});
  SplitOptions other;
  other.seed = 1;
  CHECK(make_splits("ravdess-emobox6", manifest, other) != make_splits("ravdess-emobox6", manifest, {}));
}

TEST_CASE("CREMA-D blocks: five blocks of actors, validation balanced by sex") {
  const Manifest manifest = cremad();
  const auto splits = make_splits("cremad-hicmae5", manifest, {});
  CHECK(splits.size() == 5);
  check_partition(manifest, splits);
  for (const Split& split : splits) {
    std::map<std::string, std::set<std::string>> by_sex;
    for (const std::size_t clip : split.validation)
      by_sex[manifest.clips[clip].sex].insert(manifest.clips[clip].speaker);
    const int men = static_cast<int>(by_sex["male"].size()), women = static_cast<int>(by_sex["female"].size());
    CHECK(men + women == 7);
    CHECK(std::abs(men - women) == 1);
  }
  CHECK(speakers(manifest, splits[4].test).size() == 19);
}

TEST_CASE("the built-in folds equal the published files") {
  if (real_data().empty() || !std::filesystem::is_directory(real_data() + "/folds")) {
    MESSAGE("no published folds on this machine: skipped");
    return;
  }
  const auto same = [](const std::vector<SpeakerFold>& a, const std::vector<SpeakerFold>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].fold == b[i].fold);
      CHECK(a[i].test == b[i].test);
      CHECK(a[i].validation == b[i].validation);
    }
  };
  const std::string folder = real_data() + "/folds/";
  for (const char* protocol : {"ravdess-luna5", "ravdess-emobox6"})
    same(built_in_folds(protocol), read_folds(folder + "ravdess_folds.csv", protocol));
  same(built_in_folds("cremad-hicmae5"), read_folds(folder + "cremad_folds.csv", "cremad-hicmae5"));
}

TEST_CASE("folds from a file replace the built-in ones; broken files are refused") {
  TempFolder folder;
  const Manifest manifest = ravdess();
  SplitOptions options;
  options.folds_file = (folder / "f.csv");
  write_bytes(options.folds_file, "protocol,fold,test_actors,val_actors\nluna5,0,1 2,\nluna5,1,3 4,5 6\nother,0,9,\n");
  const auto splits = make_splits("ravdess-luna5", manifest, options);
  REQUIRE(splits.size() == 2);
  CHECK(speakers(manifest, splits[0].test) == std::set<std::string>{"ravdess-01", "ravdess-02"});
  CHECK(speakers(manifest, splits[0].validation).size() == 2);
  CHECK(sexes(manifest, splits[0].validation).size() == 2);
  CHECK(speakers(manifest, splits[1].validation) == std::set<std::string>{"ravdess-05", "ravdess-06"});
  const auto fails = [&](const std::string& text, const std::string& reason) {
    write_bytes(options.folds_file, text);
    const std::string message = error_of([&] { make_splits("ravdess-luna5", manifest, options); });
    CHECK_MESSAGE(has(message, reason), message);
  };
  fails("protocol,fold,test_actors,val_actors\nother,0,1,\n", "no row of protocol");
  fails("protocol,fold,test_actors,val_actors\nluna5,0,1 2,2 3\n", "speaker 2 is in the test and the validation part");
  fails("protocol,fold,test_actors,val_actors\nluna5,0,1 2,\nluna5,1,2 3,\n", "f.csv:3: speaker 2 is tested twice");
  fails("protocol,fold,test_actors,val_actors\nluna5,x,1 2,\n", "fold is no number");
  fails("protocol,fold,test_actors,val_actors\nluna5,0,,\n", "no test speakers");
  fails("protocol,fold,test_actors,val_actors\nluna5,0,77,\n", "test part is empty");
  fails("fold\n0\n", "column is missing (expected test_actors|test_speakers");
}

TEST_CASE("random folds are stratified and keep identical clips together") {
  const Manifest manifest = ravdess();
  std::vector<std::string> contents;
  for (const Clip& clip : manifest.clips) contents.push_back(clip.id);
  for (std::size_t i = 0; i + 40 < contents.size(); i += 80) contents[i + 40] = contents[i];
  const auto splits = make_splits("random10", manifest, {}, contents);
  REQUIRE(splits.size() == 10);
  check_partition(manifest, splits);
  for (const Split& split : splits) {
    const auto counts = label_counts(subset(manifest, split.test));
    for (std::size_t label = 0; label < 8; ++label) {
      const double wanted = label == 0 ? 9.6 : 19.2;
      CHECK(std::abs(static_cast<double>(counts[label]) - wanted) < 5);
    }
    CHECK(split.validation.size() > 115);
    CHECK(split.validation.size() < 145);
  }
  SplitOptions other;
  other.seed = 5;
  CHECK(make_splits("random10", manifest, other, contents) != splits);
  CHECK(make_splits("random10", manifest, {}, contents) == splits);
}

TEST_CASE("holdout holds whole speakers out") {
  const Manifest manifest = ravdess();
  const Split split = make_splits("holdout", manifest, {})[0];
  CHECK(speakers(manifest, split.test).size() == 5);
  CHECK(speakers(manifest, split.validation).size() == 2);
  CHECK(sexes(manifest, split.test).size() == 2);
  SplitOptions named;
  named.test_speakers = {"ravdess-03", "4"};
  named.validation_speakers = {"05"};
  const Split exact = make_splits("holdout", manifest, named)[0];
  CHECK(speakers(manifest, exact.test) == std::set<std::string>{"ravdess-03", "ravdess-04"});
  CHECK(speakers(manifest, exact.validation) == std::set<std::string>{"ravdess-05"});
  named.test_speakers = {"77"};
  CHECK(has(error_of([&] { make_splits("holdout", manifest, named); }), "speaker '77'"));
  named.test_speakers = {"05"};
  CHECK(has(error_of([&] { make_splits("holdout", manifest, named); }), "ravdess-05"));
}

TEST_CASE("cross trains on one corpus and tests on the other") {
  const Manifest parts[] = {ravdess(), cremad()};
  const Manifest both = merge(parts, true);
  CHECK(both.labels == std::vector<std::string>{"angry", "disgust", "fearful", "happy", "neutral", "sad"});
  SplitOptions options;
  options.train_corpus = "ravdess";
  options.test_corpus = "cremad";
  const Split split = make_splits("cross", both, options)[0];
  for (const std::size_t clip : split.test) CHECK(both.clips[clip].corpus == "cremad");
  for (const std::size_t clip : split.train) CHECK(both.clips[clip].corpus == "ravdess");
  CHECK(split.test.size() == 91 * 12);
  CHECK(has(error_of([&] { make_splits("cross", both, {}); }), "needs two corpora"));
}

TEST_CASE("a speaker or an identical clip on both sides is refused by name") {
  const Manifest manifest = ravdess();
  Split split = make_splits("ravdess-luna5", manifest, {})[0];
  std::vector<std::string> contents;
  for (const Clip& clip : manifest.clips) contents.push_back("content of " + clip.id);
  verify_split(split, manifest, contents);

  const std::size_t train = split.train.front(), test = split.test.front(), validation = split.validation.front();
  for (const auto& [a, b] : {std::pair{train, test}, std::pair{train, validation}, std::pair{validation, test}}) {
    auto planted = contents;
    planted[b] = planted[a];
    const std::string text = error_of([&] { verify_split(split, manifest, planted); });
    CHECK_MESSAGE(has(text, "identical audio"), text);
    CHECK(has(text, manifest.clips[a].id));
    CHECK(has(text, manifest.clips[b].id));
    CHECK(has(error_of([&] { make_splits("ravdess-luna5", manifest, {}, planted); }), "identical audio"));
  }
  Split leaking = split;
  leaking.train.push_back(leaking.test.back());
  leaking.test.pop_back();
  const std::string text = error_of([&] { verify_split(leaking, manifest); });
  CHECK_MESSAGE(has(text, "speaker 'ravdess-16' is in the training and the test part"), text);
  leaking.protocol = "random10";
  CHECK_NOTHROW(verify_split(leaking, manifest));
  leaking.train.push_back(leaking.test.back());
  CHECK(has(error_of([&] { verify_split(leaking, manifest); }), "stands in the split twice"));
  leaking.test.back() = 99999;
  CHECK(has(error_of([&] { verify_split(leaking, manifest); }), "out of range"));
}

TEST_CASE("splits survive JSON and refuse strangers") {
  const Manifest manifest = ravdess();
  const Split split = make_splits("ravdess-emobox6", manifest, {})[3];
  Json json = split_to_json(split, manifest);
  CHECK(split_from_json(json, "split.json", manifest) == split);
  json["train"].push_back("stranger");
  CHECK(has(error_of([&] { split_from_json(json, "split.json", manifest); }), "clip 'stranger' is not in the corpus"));
  json = split_to_json(split, manifest);
  json["test"].push_back(json["train"][0]);
  CHECK(has(error_of([&] { split_from_json(json, "split.json", manifest); }), "stands in the split twice"));
  json["train"] = 3;
  CHECK(has(error_of([&] { split_from_json(json, "split.json", manifest); }), "train"));
}

TEST_CASE("a named protocol over several corpora: its own is split, all others train") {
  const Manifest parts[] = {ravdess(), cremad()};
  const Manifest merged = merge(parts, false);
  for (const char* protocol : {"ravdess-luna5", "ravdess-emobox6", "cremad-hicmae5"}) {
    CAPTURE(protocol);
    const Manifest& own = protocol[0] == 'r' ? parts[0] : parts[1];
    const std::vector<Split> alone = make_splits(protocol, own, {}), together = make_splits(protocol, merged, {});
    REQUIRE(alone.size() == together.size());
    for (std::size_t f = 0; f < alone.size(); ++f) {
      const Split &a = alone[f], &b = together[f];
      CHECK(speakers(own, a.test) == speakers(merged, b.test));
      CHECK(speakers(own, a.validation) == speakers(merged, b.validation));
      CHECK(a.test.size() == b.test.size());
      CHECK(a.validation.size() == b.validation.size());
      CHECK(b.train.size() == a.train.size() + merged.clips.size() - own.clips.size());
    }
  }
  // A speaker of another corpus who bears a test speaker's very name is an error, not a leak.
  Manifest same = merged;
  for (Clip& clip : same.clips) {
    if (clip.speaker == "cremad-1001") clip.speaker = "ravdess-02";
  }
  CHECK(has(error_of([&] { make_splits("ravdess-luna5", same, {}); }), "speaker 'ravdess-02' is in the"));
}

TEST_CASE("other mistakes have names") {
  Manifest manifest = ravdess();
  CHECK(has(error_of([&] { make_splits("luna", manifest, {}); }), "unknown protocol 'luna' (expected ravdess-luna5"));
  CHECK(has(error_of([&] { make_splits("cremad-hicmae5", manifest, {}); }), "another corpus"));
  SplitOptions bad;
  bad.validation_fraction = 1.5;
  CHECK(has(error_of([&] { make_splits("holdout", manifest, bad); }), "validation_fraction"));
  manifest.clips[3].speaker.clear();
  CHECK(has(error_of([&] { make_splits("holdout", manifest, {}); }), "has no speaker"));
  CHECK_NOTHROW(make_splits("random10", manifest, {}));
}

TEST_CASE("random rows: share, order, repeatability") {
  const auto [train, test] = random_rows(100, 0.2, 7);
  CHECK(test.size() == 20);
  CHECK(train.size() == 80);
  std::set<std::size_t> all(train.begin(), train.end());
  all.insert(test.begin(), test.end());
  CHECK(all.size() == 100);
  CHECK(random_rows(100, 0.2, 7).second == test);
  CHECK(random_rows(100, 0.2, 8).second != test);
  CHECK(has(error_of([] { random_rows(1, 0.2, 0); }), "too few"));
}
