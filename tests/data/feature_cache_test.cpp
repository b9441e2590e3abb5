#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <set>

#include "serene/data/corpora.h"
#include "serene/data/feature_cache.h"
#include "serene/data/file_index.h"
#include "serene/data/locate.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;
namespace fs = std::filesystem;

namespace {

// Clips of a made-up corpus: speaker s1 and s2, labels sad and happy.
Manifest small_corpus(const TempFolder& folder, int clips = 6) {
  Manifest manifest;
  manifest.name = "small";
  manifest.root = folder.path();
  manifest.labels = {"happy", "sad"};
  for (int i = 0; i < clips; ++i) {
    Clip clip;
    clip.id = "clip" + std::to_string(i);
    clip.path = folder / (clip.id + ".wav");
    clip.label = manifest.labels[static_cast<std::size_t>(i % 2)];
    clip.speaker = "s" + std::to_string(1 + i / 2 % 2);
    clip.corpus = "small";
    write_wav(clip.path, sound(static_cast<std::uint64_t>(i), 0.3 + 0.05 * i));
    manifest.clips.push_back(clip);
  }
  return manifest;
}

void same_features(const FeatureSet& a, const FeatureSet& b) {
  REQUIRE(a.clips.size() == b.clips.size());
  for (std::size_t i = 0; i < a.clips.size(); ++i) CHECK(a.clips[i].values == b.clips[i].values);
  CHECK(a.audio_hashes == b.audio_hashes);
  CHECK(a.manifest.clips == b.manifest.clips);
}

std::vector<std::string> entries(const std::string& cache) {
  std::set<std::string> found;
  for (const auto& e : fs::recursive_directory_iterator(cache)) {
    if (e.path().extension() == ".feat") found.insert(e.path().string());
  }
  return {found.begin(), found.end()};
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("features are extracted once, and again only when file or config change") {
  TempFolder folder;
  const Manifest manifest = small_corpus(folder);
  const FeatureConfig config = feature_preset("mfcc-40");
  const std::string cache = (folder / "cache");
  ThreadPool pool(2);
  const FeatureSet first = load_features(manifest, config, cache, pool);
  CHECK(first.extracted == 6);
  CHECK(first.from_cache == 0);
  CHECK(first.dim == 40);
  CHECK(first.clips[0].frames > 20);
  CHECK(first.clips[0].values.size() == static_cast<std::size_t>(first.clips[0].frames * 40));
  const FeatureSet second = load_features(manifest, config, cache, pool);
  CHECK(second.extracted == 0);
  CHECK(second.from_cache == 6);
  same_features(first, second);
  ThreadPool one(1);
  same_features(first, load_features(manifest, config, "off", one));
  same_features(first, load_features(manifest, config, cache, one));

  FeatureConfig other = config;
  other.hop_length = 200;
  CHECK(load_features(manifest, other, cache, pool).extracted == 6);
  CHECK(load_features(manifest, config, cache, pool).extracted == 0);

  write_wav(manifest.clips[2].path, sound(77, 0.4));
  const FeatureSet changed = load_features(manifest, config, cache, pool);
  CHECK(changed.extracted == 1);
  CHECK(changed.clips[2].values != first.clips[2].values);

  Manifest moved = manifest;
  fs::rename(manifest.clips[0].path, (folder / "elsewhere.wav"));
  moved.clips[0].path = (folder / "elsewhere.wav");
  CHECK(load_features(moved, config, cache, pool).extracted == 0);
}

TEST_CASE("damaged cache entries are rebuilt, whatever is wrong with them") {
  TempFolder folder;
  const Manifest manifest = small_corpus(folder);
  const FeatureConfig config = feature_preset("mfcc-40");
  const std::string cache = (folder / "cache");
  ThreadPool pool(1);
  const FeatureSet first = load_features(manifest, config, cache, pool);
  const auto files = entries(cache);
  REQUIRE(files.size() == 6);
  const std::string whole = bytes_of(files[0]);
  const auto rebuilds = [&](const std::string& bytes) {
    std::ofstream(files[0], std::ios::binary | std::ios::trunc) << bytes;
    const FeatureSet again = load_features(manifest, config, cache, pool);
    CHECK(again.damaged == 1);
    CHECK(again.extracted == 1);
    same_features(first, again);
    CHECK(bytes_of(files[0]) == whole);
  };
  rebuilds("");
  rebuilds("not a cache file");
  rebuilds(whole.substr(0, whole.size() / 2));
  rebuilds(whole + "x");
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
  rebuilds(flipped);
  std::string huge = whole;
  for (std::size_t i = 8; i < 12; ++i) huge[i] = '\x7f';
  rebuilds(huge);
  // Another clip's entry under this name.
  rebuilds(bytes_of(files[1]));

  write_bytes(cache + "/files.index", "serene file index 1\nrubbish");
  CHECK(load_features(manifest, config, cache, pool).from_cache == 6);
}

TEST_CASE("a cache that cannot be written is no error") {
  TempFolder folder;
  const Manifest manifest = small_corpus(folder, 2);
  write_bytes((folder / "file"), "in the way");
  ThreadPool pool(1);
  const FeatureSet set = load_features(manifest, feature_preset("mfcc-40"), (folder / "file") + "/cache", pool);
  CHECK(set.extracted == 2);
}

TEST_CASE("broken clips are skipped with a reason, the rest goes on") {
  TempFolder folder;
  Manifest manifest = small_corpus(folder, 8);
  write_bytes(manifest.clips[0].path, "");
  write_bytes(manifest.clips[1].path, "this is a text file called wav, as they sometimes are\n");
  fs::remove(manifest.clips[2].path);
  write_wav(manifest.clips[3].path, std::vector<std::int16_t>(8000, 0));
  write_wav(manifest.clips[4].path, {});
  write_bytes(manifest.clips[5].path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
  ThreadPool pool(2);
  std::atomic<std::size_t> last{0};
  const FeatureSet set = load_features(manifest, feature_preset("mfcc-40"), (folder / "cache"), pool,
                                       [&](std::size_t done, std::size_t total) {
                                         CHECK(done == last + 1);
                                         CHECK(total == 8);
                                         last = done;
                                       });
  CHECK(last == 8);
  REQUIRE(set.clips.size() == 2);
  CHECK(set.manifest.clips[0].id == "clip6");
  REQUIRE(set.manifest.skipped.size() == 6);
  for (const SkippedClip& clip : set.manifest.skipped) {
    CHECK_FALSE(clip.reason.empty());
    CHECK_MESSAGE(!has(clip.reason, folder.path()), clip.reason);
  }
  CHECK(has(set.manifest.skipped[3].reason, "silent"));

  manifest.clips.resize(4);
  CHECK(has(error_of([&] { load_features(manifest, feature_preset("mfcc-40"), "off", pool); }), "no clip can be used"));
}

TEST_CASE("equal audio has equal hashes across formats of the file") {
  TempFolder folder;
  Manifest manifest = small_corpus(folder, 4);
  const auto mono = sound(5);
  std::vector<std::int16_t> stereo;
  for (const std::int16_t s : mono) stereo.insert(stereo.end(), {s, s});
  write_wav(manifest.clips[0].path, mono);
  write_wav(manifest.clips[1].path, stereo, 16000, 2);
  write_wav(manifest.clips[2].path, mono, 8000);
  ThreadPool pool(1);
  const FeatureSet set = load_features(manifest, feature_preset("mfcc-40"), "off", pool);
  CHECK(set.audio_hashes[0] == set.audio_hashes[1]);
  CHECK(set.audio_hashes[0] != set.audio_hashes[2]);
  CHECK(set.audio_hashes[0] != set.audio_hashes[3]);
}

TEST_CASE("the file index remembers settled files and sees changes") {
  TempFolder folder;
  const std::string file = (folder / "a.bin");
  write_bytes(file, "one");
  const auto old = fs::last_write_time(file) - std::chrono::hours(1);
  fs::last_write_time(file, old);
  FileIndex index((folder / "files.index"));
  const std::string hash = index.hash_of(file);
  index.save();
  REQUIRE(fs::exists((folder / "files.index")));

  // Same stamp, other bytes: the index answers without reading, which is its purpose.
  write_bytes(file, "two");
  fs::last_write_time(file, old);
  CHECK(FileIndex((folder / "files.index")).hash_of(file) == hash);
  fs::last_write_time(file, old + std::chrono::seconds(1));
  CHECK(FileIndex((folder / "files.index")).hash_of(file) != hash);

  std::string text = bytes_of((folder / "files.index"));
  text.back() = '!';
  write_bytes((folder / "files.index"), text);
  fs::last_write_time(file, old);
  CHECK(FileIndex((folder / "files.index")).hash_of(file) != hash);
  CHECK(has(error_of([&] { index.hash_of((folder / "none")); }), "none"));
}

TEST_CASE("real clips of both corpora go through the cache") {
  if (real_data().empty()) {
    MESSAGE("no corpora on this machine: skipped");
    return;
  }
  TempFolder folder;
  Manifest manifest = build_corpus("ravdess", locate_corpus("ravdess", real_data()));
  manifest.clips.resize(24);
  ThreadPool pool(2);
  const FeatureSet first = load_features(manifest, feature_preset("mfcc-40"), folder.path(), pool);
  CHECK(first.extracted == 24);
  CHECK(load_features(manifest, feature_preset("mfcc-40"), folder.path(), pool).from_cache == 24);
}
