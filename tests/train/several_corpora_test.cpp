// One run over several corpora, and what is refused before any clip is read.
#include <doctest/doctest.h>

#include "../data/test_files.h"
#include "serene/data/manifest.h"
#include "serene/train/experiment.h"
#include "synthetic_features.h"

using namespace serene;

namespace {

// Two RAVDESS actors with a calm clip each, two CREMA-D actors.
void write_corpora(const test::TempFolder& folder) {
  std::uint64_t seed = 0;
  for (const char* name : {"ravdess/Actor_03/03-01-05-01-01-01-03", "ravdess/Actor_03/03-01-02-01-01-01-03",
                           "ravdess/Actor_04/03-01-05-01-01-01-04", "ravdess/Actor_04/03-01-02-01-01-01-04",
                           "cremad/1001_DFA_ANG_XX", "cremad/1001_DFA_SAD_XX", "cremad/1002_DFA_ANG_XX"}) {
    test::write_wav(folder / (std::string(name) + ".wav"), test::sound(++seed, 0.3));
  }
}

}  // namespace

TEST_CASE("several corpora: labels united, speakers of each in the parts, one cache for all") {
  const test::TempFolder folder;
  write_corpora(folder);
  const RunConfig config =
      test::small_run({"data.corpus=ravdess+cremad", "split.test_speakers=[\"ravdess-03\", \"cremad-1001\"]",
                       "split.validation_speakers=[\"04\"]"});
  ThreadPool pool(2);
  const FeatureSet set = load_corpus_features(config, folder.path(), (folder / "cache"), pool);
  CHECK(set.manifest.name == "ravdess+cremad");
  CHECK(set.clips.size() == 7);
  CHECK(set.extracted == 7);
  CHECK(set.manifest.label_index("calm") >= 0);  // RAVDESS alone has it
  const std::vector<Split> splits = splits_of(config, set);
  REQUIRE(splits.size() == 1);
  CHECK(speakers_of(subset(set.manifest, splits[0].test)) == std::vector<std::string>{"cremad-1001", "ravdess-03"});
  CHECK(speakers_of(subset(set.manifest, splits[0].validation)) == std::vector<std::string>{"ravdess-04"});
  CHECK(speakers_of(subset(set.manifest, splits[0].train)) == std::vector<std::string>{"cremad-1002"});

  const FeatureSet again = load_corpus_features(config, folder.path(), (folder / "cache"), pool);
  CHECK(again.from_cache == 7);
  const RunConfig alone = test::small_run({"data.corpus=cremad"});
  CHECK(load_corpus_features(alone, folder.path(), (folder / "cache"), pool).from_cache == 3);
}

TEST_CASE("several corpora: an unknown one is named, and impossible augmentation is refused before any clip is read") {
  ThreadPool pool(1);
  const auto problem = [&](const std::vector<std::string>& overrides) {
    return test::error_of([&] { load_corpus_features(test::small_run(overrides), "no-such-folder", "off", pool); });
  };
  for (const char* names : {"ravdess+nope", "nope+ravdess"}) {
    const std::string text = problem({std::string("data.corpus=") + names});
    INFO(text);
    CHECK(test::has(text, "'nope'"));
    CHECK(test::has(text, "cremad"));
  }
  CHECK_FALSE(problem({"data.corpus=ravdess+"}).empty());
  CHECK(test::has(problem({"data.corpus=ravdess", "data.augment.mel_shift=2"}), "data.augment.mel_shift"));
  CHECK(test::has(problem({"data.corpus=ravdess", "features.preset=kaggle-162", "data.augment.time_masks=1"}),
                  "data.augment: the kaggle"));
}
