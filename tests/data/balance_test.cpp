// Which clips an epoch takes: balanced groups, epochs of a chosen size, features that stand in for others.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "serene/data/batcher.h"
#include "serene/data/dataset.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

// counts[corpus][class] clips of 4 to 12 frames, two channels.
FeatureSet corpora(const std::vector<std::vector<int>>& counts) {
  FeatureSet set;
  set.dim = 2;
  set.config = feature_preset("logmel-64");
  set.manifest.labels = {"happy", "sad", "angry"};
  for (std::size_t corpus = 0; corpus < counts.size(); ++corpus) {
    for (std::size_t label = 0; label < counts[corpus].size(); ++label) {
      for (int i = 0; i < counts[corpus][label]; ++i) {
        const std::size_t place = set.clips.size();
        Clip clip;
        clip.id = "c" + std::to_string(place);
        clip.label = set.manifest.labels[label];
        clip.corpus = "corpus" + std::to_string(corpus);
        clip.speaker = "s" + std::to_string(i % 2);
        set.manifest.clips.push_back(clip);
        FeatureMatrix m(static_cast<Index>(4 + place % 9), 2);
        for (std::size_t k = 0; k < m.values.size(); ++k) m.values[k] = static_cast<float>(100 * place + k);
        set.clips.push_back(std::move(m));
        set.audio_hashes.push_back(clip.id);
      }
    }
  }
  return set;
}

std::vector<std::size_t> all_of(const Dataset& data) {
  std::vector<std::size_t> clips(data.size());
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  return clips;
}

std::vector<std::size_t> taken(Batcher& batcher, std::uint64_t epoch) {
  batcher.start_epoch(epoch);
  std::vector<std::size_t> clips;
  for (Index b = 0; b < batcher.batches(); ++b) {
    const auto some = batcher.batch_clips(b);
    clips.insert(clips.end(), some.begin(), some.end());
  }
  return clips;
}

std::vector<std::size_t> sorted(std::vector<std::size_t> v) {
  std::sort(v.begin(), v.end());
  return v;
}

}  // namespace

TEST_CASE("balance: groups come equally often in every epoch, and no clip again before its group is used up") {
  const FeatureSet set = corpora({{30, 3, 0}, {7, 11, 1}});
  const Dataset data(set, std::vector<std::size_t>{}, Standardise::none);
  const auto clips = all_of(data);
  const auto group_of = [&](Balance balance, std::size_t clip) {
    const std::string corpus = set.manifest.clips[clip].corpus, label = set.manifest.clips[clip].label;
    return balance == Balance::by_class ? label : balance == Balance::by_corpus ? corpus : label + corpus;
  };
  const std::pair<Balance, std::size_t> kinds[] = {
      {Balance::by_class, 3}, {Balance::by_corpus, 2}, {Balance::by_class_and_corpus, 5}};
  for (const auto& [balance, groups] : kinds) {
    for (const Index size : {Index{0}, Index{17}, Index{200}}) {
      BatcherConfig config;
      config.batch_size = 8, config.shuffle = true, config.seed = 5;
      config.balance = balance, config.epoch_clips = size;
      Batcher batcher(data, clips, config);
      const std::size_t expected = size > 0 ? static_cast<std::size_t>(size) : clips.size();
      CHECK(batcher.clips() == expected);
      std::map<std::size_t, int> times;
      for (std::uint64_t epoch = 0; epoch < 12; ++epoch) {
        const auto chosen = taken(batcher, epoch);
        CHECK(chosen.size() == expected);
        CHECK(sorted(chosen) == sorted(batcher.clips_of_epoch(epoch)));
        std::map<std::string, std::size_t> count;
        for (const std::size_t clip : chosen) ++count[group_of(balance, clip)], ++times[clip];
        CHECK(count.size() == groups);
        for (const auto& [group, n] : count) {
          CHECK(n >= expected / groups);
          CHECK(n <= expected / groups + 1);
        }
        // Within a group the clips' counts over all epochs so far differ by one at most.
        std::map<std::string, std::pair<int, int>> range;
        for (const std::size_t clip : clips) {
          const auto at = range.try_emplace(group_of(balance, clip), std::pair{times[clip], times[clip]}).first;
          at->second = {std::min(at->second.first, times[clip]), std::max(at->second.second, times[clip])};
        }
        for (const auto& [group, ends] : range) CHECK(ends.second - ends.first <= 1);
      }
    }
  }
}

TEST_CASE("balance: an epoch is a function of seed and number, whatever came before") {
  const FeatureSet set = corpora({{30, 3, 5}, {7, 11, 1}});
  const Dataset data(set, std::vector<std::size_t>{}, Standardise::none);
  const auto clips = all_of(data);
  BatcherConfig config;
  config.batch_size = 4, config.shuffle = config.bucket = true;
  config.balance = Balance::by_class;
  Batcher a(data, clips, config), b(data, clips, config);
  const auto fifth = taken(a, 5);
  for (const std::uint64_t epoch : {0, 9, 3}) taken(b, epoch);
  CHECK(taken(b, 5) == fifth);
  CHECK(taken(b, 6) != fifth);
  config.seed = 1;
  Batcher other(data, clips, config);
  CHECK(taken(other, 5) != fifth);
}

TEST_CASE("balance: short epochs go through all clips, and without balance an epoch holds each clip once") {
  const FeatureSet set = corpora({{20, 10, 10}});
  const Dataset data(set, std::vector<std::size_t>{}, Standardise::none);
  const auto clips = all_of(data);
  BatcherConfig config;
  config.batch_size = 7, config.shuffle = true;
  Batcher plain(data, clips, config);
  CHECK(sorted(taken(plain, 3)) == clips);
  CHECK(plain.clips_of_epoch(3) == clips);
  config.epoch_clips = 10;
  Batcher quarter(data, clips, config);
  CHECK(quarter.batches() == 2);
  std::set<std::size_t> seen;
  for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
    const auto some = taken(quarter, epoch);
    seen.insert(some.begin(), some.end());
  }
  CHECK(seen.size() == 40);
  config.epoch_clips = 3;
  Batcher small(data, clips, config);
  CHECK(small.max_shape().batch == 3);
  config.epoch_clips = -1;
  CHECK(has(error_of([&] { Batcher(data, clips, config); }), "epoch_clips"));
}

TEST_CASE("balance: a clip that comes again in an epoch is augmented anew") {
  const FeatureSet set = corpora({{1, 0, 0}});
  const Dataset data(set, std::vector<std::size_t>{}, Standardise::none);
  BatcherConfig config;
  config.batch_size = 1, config.epoch_clips = 3;
  config.augment.gain_db = 6;
  FeatureSet mfcc = set;
  mfcc.config = feature_preset("mfcc-40");
  const Dataset cepstra(mfcc, std::vector<std::size_t>{}, Standardise::none);
  Batcher batcher(cepstra, std::vector<std::size_t>{0}, config);
  std::set<float> levels;
  for (Index b = 0; b < 3; ++b) {
    std::vector<float> values(static_cast<std::size_t>(batcher.max_shape().size()));
    Index length = 0;
    int label = 0;
    batcher.fill<float>(b, {values.data(), &length, &label, nullptr});
    levels.insert(values[0]);
  }
  CHECK(levels.size() == 3);
}

TEST_CASE("overlay: its features stand in for the plain ones, standardised alike, within the planned time") {
  const FeatureSet set = corpora({{4, 4, 0}});
  const auto clips = all_of(Dataset(set, std::vector<std::size_t>{}, Standardise::none));
  const Dataset data(set, clips);
  FeatureOverlay overlay({0, 20, 0, 0, 0, 0, 0, 0});
  BatcherConfig config;
  config.batch_size = 1;
  config.overlay = &overlay;
  Batcher batcher(data, clips, config);
  CHECK(batcher.max_time() == 20);
  CHECK(batcher.shape(1).time == set.clips[1].frames);
  overlay.at(1) = FeatureMatrix(18, 2);
  std::fill(overlay.at(1).values.begin(), overlay.at(1).values.end(), 42.0f);
  batcher.start_epoch(1);
  CHECK(batcher.shape(1).time == 18);
  std::vector<float> values(40, NAN);
  Index length = 0;
  int label = -1;
  batcher.fill<float>(1, {values.data(), &length, &label, nullptr});
  CHECK(length == 18);
  CHECK(values[0] == (42.0f - data.normalizer().mean[0]) * data.normalizer().scale[0]);
  CHECK(batcher.shape(0).time == set.clips[0].frames);
  overlay.clear();
  CHECK(overlay.find(1) == nullptr);
  CHECK(batcher.shape(1).time == set.clips[1].frames);
}
