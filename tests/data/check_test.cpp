#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "serene/core/sha256.h"
#include "serene/data/check.h"
#include "serene/data/corpora.h"
#include "serene/data/locate.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const DuplicateGroup* group_with(const DataReport& report, const std::string& id) {
  for (const DuplicateGroup& group : report.duplicates) {
    if (std::find(group.ids.begin(), group.ids.end(), id) != group.ids.end()) return &group;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("every kind of defect is found, by content") {
  TempFolder folder;
  const auto path = [&](const std::string& stem) { return folder / ("cremad/" + stem + ".wav"); };
  write_wav(path("1001_DFA_ANG_XX"), sound(1, 2));
  write_wav(path("1001_DFA_SAD_XX"), sound(1, 2));  // the same, another label
  write_wav(path("1002_DFA_ANG_XX"), sound(2, 2));
  write_wav(path("1003_DFA_ANG_XX"), sound(2, 2));  // the same, the same label
  write_wav(path("1004_DFA_ANG_XX"), std::vector<std::int16_t>(32000, 1));
  write_bytes(path("1005_DFA_ANG_XX"), "RIFF nonsense");
  write_wav(path("1006_DFA_ANG_XX"), sound(3, 0.2));
  write_wav(path("1007_DFA_ANG_XX"), sound(4, 4), 16000, 2);
  write_wav(path("1008_DFA_ANG_XX"), sound(5, 2));
  write_wav(path("odd name"), sound(6, 2));
  write_bytes((folder / "checksums/cremad_audiowav.sha256"),
              sha256_hex(std::string_view(file_text(path("1008_DFA_ANG_XX")))) + "  1008_DFA_ANG_XX.wav  64044\n" +
                  std::string(64, '0') + "  1001_DFA_ANG_XX.wav  64044\n" + std::string(64, '0') +
                  "  1009_DFA_ANG_XX.wav  1\n");
  const Manifest manifest = build_corpus("cremad", (folder / "cremad"));
  ThreadPool one(1), two(2);
  const DataReport report = check_corpus(manifest, two);
  CHECK(to_json(check_corpus(manifest, one)) == to_json(report));
  CHECK(report.clips == 9);
  CHECK(report.expected_clips == 7442);
  REQUIRE(report.duplicates.size() == 2);
  CHECK(report.duplicates[0].ids == std::vector<std::string>{"1001_DFA_ANG_XX", "1001_DFA_SAD_XX"});
  CHECK(report.duplicates[0].contradictory);
  CHECK_FALSE(report.duplicates[1].contradictory);
  CHECK(report.contradictory() == 1);
  REQUIRE(report.broken.size() == 2);
  CHECK(has(report.broken[0].reason, "silent"));
  CHECK(report.stereo == std::vector<std::string>{"1007_DFA_ANG_XX"});
  REQUIRE(report.odd_durations.size() == 1);
  CHECK(report.odd_durations[0].id == "1006_DFA_ANG_XX");
  CHECK(report.missing == std::vector<std::string>{"1009_DFA_ANG_XX"});
  CHECK(report.unexpected.size() == 7);
  CHECK(report.changed == std::vector<std::string>{"1001_DFA_ANG_XX"});
  CHECK(report.checksums_compared == 2);
  CHECK(report.unnamed.size() == 1);
  CHECK_FALSE(report.clean());
  const std::string table = to_table(report);
  CHECK(has(table, "1001_DFA_ANG_XX (angry) = 1001_DFA_SAD_XX (sad)"));
  CHECK(has(table, "9 of 7442"));
}

TEST_CASE("a manifest's missing files are missing, and a sound one is clean") {
  TempFolder folder;
  Manifest manifest;
  manifest.name = "mine";
  manifest.root = folder.path();
  manifest.labels = {"sad"};
  for (const char* id : {"a", "b"}) {
    Clip clip;
    clip.id = id;
    clip.label = "sad";
    clip.path = folder / (clip.id + ".wav");
    manifest.clips.push_back(clip);
  }
  write_wav((folder / "a.wav"), sound(1));
  ThreadPool pool(1);
  CHECK(check_corpus(manifest, pool).missing == std::vector<std::string>{"b"});
  write_wav((folder / "b.wav"), sound(2));
  const DataReport report = check_corpus(manifest, pool);
  CHECK(report.clean());
  CHECK(has(to_table(report), "no defect"));
}

TEST_CASE("the stereo originals of RAVDESS are found") {
  if (real_data().empty() || !std::filesystem::is_directory(real_data() + "/ravdess_48k_sample")) {
    MESSAGE("no original files on this machine: skipped");
    return;
  }
  ThreadPool pool(2);
  const DataReport report = check_corpus(build_corpus("ravdess", real_data() + "/ravdess_48k_sample"), pool);
  CHECK(report.clips == 12);
  CHECK(report.stereo ==
        std::vector<std::string>{"03-01-02-01-01-02-01", "03-01-02-01-02-02-05", "03-01-06-01-01-02-20"});
  CHECK(report.checksums_compared == 12);
  CHECK(report.changed.empty());
  CHECK(report.missing.size() == 1428);
  CHECK(report.broken.empty());
}

TEST_CASE("the real RAVDESS has one identical pair") {
  if (real_data().empty()) {
    MESSAGE("no corpora on this machine: skipped");
    return;
  }
  ThreadPool pool(2);
  const DataReport report = check_corpus(build_corpus("ravdess", locate_corpus("ravdess", real_data())), pool);
  CHECK(report.missing.empty());
  CHECK(report.broken.empty());
  CHECK(report.odd_durations.empty());
  CHECK(report.contradictory() == 0);
  REQUIRE(report.duplicates.size() == 1);
  CHECK(report.duplicates[0].ids == std::vector<std::string>{"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"});
  CHECK(report.longest_s == doctest::Approx(5.272).epsilon(1e-3));
  CHECK(report.shortest_s == doctest::Approx(2.936).epsilon(1e-3));
}

TEST_CASE("the real CREMA-D has its contradictory pairs and its silent clip") {
  if (real_data().empty() || !std::filesystem::is_directory(real_data() + "/cremad")) {
    MESSAGE("no CREMA-D on this machine: skipped");
    return;
  }
  // The whole corpus takes a minute; these four speakers hold all that is known.
  Manifest manifest = build_corpus("cremad", locate_corpus("cremad", real_data()));
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    for (const char* speaker : {"cremad-1006", "cremad-1013", "cremad-1017", "cremad-1076"}) {
      if (manifest.clips[i].speaker == speaker) kept.push_back(i);
    }
  }
  ThreadPool pool(2);
  const DataReport report = check_corpus(subset(manifest, kept), pool);
  CHECK(report.contradictory() == 3);
  for (const auto& [a, b] :
       {std::pair{"1017_IWW_ANG_XX", "1017_IWW_FEA_XX"}, std::pair{"1006_TIE_HAP_XX", "1006_TIE_NEU_XX"},
        std::pair{"1013_WSI_DIS_XX", "1013_WSI_SAD_XX"}}) {
    const DuplicateGroup* group = group_with(report, a);
    REQUIRE(group != nullptr);
    CHECK(group->ids == std::vector<std::string>{a, b});
  }
  REQUIRE(report.broken.size() == 1);
  CHECK(has(report.broken[0].path, "1076_MTI_SAD_XX"));
  CHECK(has(report.broken[0].reason, "silent"));
}
