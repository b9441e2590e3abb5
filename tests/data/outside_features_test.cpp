#include "serene/data/outside_features.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "serene/io/npz.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

FeatureMatrix matrix(Index frames, Index dim, float first) {
  FeatureMatrix m(frames, dim);
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = first + static_cast<float>(i);
  return m;
}

FeatureArchive three_clips() {
  FeatureArchive a;
  a.names = {"a", "b", "c"};
  a.clips = {matrix(2, 3, 0), matrix(1, 3, 10), matrix(4, 3, 20)};
  a.labels = {"sad", "anger", "sad"}, a.speakers = {"x", "y", ""}, a.sexes = {"m", "female", ""};
  a.corpora = {"", "mine", "mine"};
  return a;
}

bool same(const FeatureMatrix& a, const FeatureMatrix& b) {
  return a.frames == b.frames && a.dim == b.dim && a.values == b.values;
}

NpzArray texts(const std::string& name, const std::vector<std::string>& values) {
  return {name, npy_bytes({static_cast<Index>(values.size())}, std::span<const std::string>(values))};
}

NpzArray floats(const std::string& name, const std::vector<Index>& shape) {
  Index size = 1;
  for (const Index d : shape) size *= d;
  const std::vector<float> values = matrix(1, size, 0).values;
  return {name, npy_bytes(shape, std::span<const float>(values))};
}

NpzArray whole(const std::string& name, const std::vector<Index>& values) {
  return {name, npy_bytes({static_cast<Index>(values.size())}, std::span<const Index>(values))};
}

struct Read {
  FeatureArchive archive;
  std::string problem;  // without the path
};

Read read(const std::vector<NpzArray>& arrays) {
  const TempFolder folder;
  const std::string path = folder / "x.npz";
  write_npz(path, arrays);
  Read result;
  result.problem = error_of([&] { result.archive = read_feature_archive(path); });
  CHECK(result.problem.find('\n') == std::string::npos);
  if (!result.problem.empty()) {
    REQUIRE(result.problem.starts_with(path));
    result.problem.erase(0, path.size());
  }
  return result;
}

Manifest two_clips() {
  Manifest manifest;
  manifest.name = "two", manifest.labels = {"happy", "sad"};
  Clip clip;
  for (const char* id : {"c", "a"}) {
    clip.id = id, clip.path = std::string(id) + ".wav", clip.label = "sad", clip.speaker = "z";
    manifest.clips.push_back(clip);
  }
  return manifest;
}

}  // namespace

TEST_CASE("feature archive: what is written is read") {
  const TempFolder folder;
  FeatureArchive given = three_clips();
  given.classes = {"sad", "angry", "calm"};
  write_feature_archive(folder / "x.NPZ", given);
  CHECK(is_feature_archive(folder / "x.NPZ"));
  CHECK_FALSE(is_feature_archive("x.npy"));
  const FeatureArchive a = read_feature_archive(folder / "x.NPZ");
  CHECK(a.names == given.names);
  CHECK(a.labels == given.labels);
  CHECK(a.speakers == given.speakers);
  CHECK(a.sexes == given.sexes);
  CHECK(a.corpora == given.corpora);
  CHECK(a.classes == given.classes);
  REQUIRE(a.clips.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(same(a.clips[i], given.clips[i]));
}

TEST_CASE("feature archive: padded clips, and one vector for each clip") {
  const NpzArray names = texts("names", {"a", "b"});
  const auto padded = read({names, floats("features", {2, 3, 2}), whole("frames", {1, 3})});
  REQUIRE(padded.problem == "");
  CHECK(padded.archive.clips[0].values == std::vector<float>{0, 1});
  CHECK(padded.archive.clips[1].values == std::vector<float>{6, 7, 8, 9, 10, 11});
  CHECK(read({names, floats("features", {2, 3, 2})}).archive.clips[1].frames == 3);
  const auto vectors = read({names, floats("features", {2, 5})});
  REQUIRE(vectors.problem == "");
  CHECK(vectors.archive.clips[1].frames == 1);
  CHECK(vectors.archive.clips[1].values == std::vector<float>{5, 6, 7, 8, 9});
}

TEST_CASE("feature archive: arrays that do not belong together are one clear line") {
  const NpzArray names = texts("names", {"a", "b"}), features = floats("features", {4, 2});
  const NpzArray frames = whole("frames", {1, 3});
  REQUIRE(read({names, features, frames}).problem == "");
  const auto says = [&](const std::vector<NpzArray>& arrays, const std::string& words) {
    const std::string problem = read(arrays).problem;
    INFO(problem);
    CHECK(problem.find(words) != std::string::npos);
  };
  says({features, frames}, "holds no array \"names\"");
  says({names, frames}, "holds no array \"features\"");
  says({names, features}, "features: wrong shape");
  says({names, features, whole("frames", {1, 2})},
       "frames: does not fit the features (expected 4 frames in all, got 3)");
  says({names, features, whole("frames", {1, 3, 0})},
       "frames: wrong shape (expected (2,), one for each name, got (3,))");
  says({names, features, whole("frames", {0, 4})}, "frames: not a number of frames (expected 1 to 4, got 0");
  says({names, features, whole("frames", {-1, 5})}, "not a number of frames");
  says({names, features, floats("frames", {2})}, "not a number of frames");
  says({names, features, frames, texts("labels", {"sad"})}, "labels: wrong shape (expected (2,), one for each name");
  says({names, features, frames, texts("labels", {"sad", ""})}, "labels: holds an empty text");
  says({names, features, frames, texts("speakers", {"x", "y\nz"})}, "speakers: holds a text of more than one line");
  says({names, features, frames, texts("label", {"sad", "sad"})}, "label: unknown array");
  says({names, features, frames, floats("labels", {2})}, "labels.npy: unsupported dtype");
  says({names, features, frames, texts("classes", {"sad", "sad"})}, "classes: 'sad' stands twice");
  says({texts("names", {"a", "a"}), features, frames}, "names: 'a' stands twice");
  says({texts("names", {}), features, frames}, "names: holds no clip");
  says({names, floats("features", {4}), frames}, "features: wrong shape");
  says({names, floats("features", {3, 2, 2})}, "features: wrong shape");
  says({names, floats("features", {2, 0}), frames}, "features: wrong shape");
  says({names, texts("features", {"a", "b"}), frames}, "features.npy: unsupported dtype");
}

TEST_CASE("outside features: an archive's own clips") {
  const TempFolder folder;
  const std::string path = folder / "mine.npz";
  write_feature_archive(path, three_clips());
  ThreadPool pool(2);
  OutsideFeatures outside(path);
  const Manifest manifest = outside.manifest();
  CHECK(manifest.labels == std::vector<std::string>{"angry", "sad"});
  CHECK(manifest.clips[1].label == "angry");
  CHECK(manifest.clips[0].sex == "male");
  CHECK(manifest.clips[0].corpus == "mine");
  CHECK(manifest.clips[0].speaker == "x");
  CHECK(outside.manifest({"sad", "anger"}).labels == std::vector<std::string>{"sad", "anger"});
  CHECK(error_of([&] { outside.manifest({"sad"}); }).starts_with(path + ": b: unknown label 'anger'"));
  const FeatureSet set = std::move(outside).of(manifest, pool);
  CHECK(set.dim == 3);
  CHECK(set.config == outside_features(3));
  CHECK(set.manifest.skipped.empty());
  REQUIRE(set.clips.size() == 3);
  CHECK(same(set.clips[2], three_clips().clips[2]));
  CHECK(set.audio_hashes[0] != set.audio_hashes[1]);
}

TEST_CASE("outside features: a manifest beside the archive, in its own order") {
  const TempFolder folder;
  write_feature_archive(folder / "x.npz", three_clips());
  ThreadPool pool(2);
  Manifest manifest = two_clips();
  const FeatureSet set = OutsideFeatures(folder / "x.npz").of(manifest, pool);
  REQUIRE(set.clips.size() == 2);
  CHECK(same(set.clips[0], three_clips().clips[2]));
  CHECK(same(set.clips[1], three_clips().clips[0]));
  CHECK(set.manifest.clips == manifest.clips);
  CHECK(set.manifest.left_out.at("not in the manifest") == 1);
  manifest.clips[0].id = "d";
  const FeatureSet less = OutsideFeatures(folder / "x.npz").of(manifest, pool);
  REQUIRE(less.manifest.skipped.size() == 1);
  CHECK(less.manifest.skipped[0].reason == "no features of it in " + (folder / "x.npz"));
  manifest.clips[1].id = "e";
  CHECK(error_of([&] { OutsideFeatures(folder / "x.npz").of(manifest, pool); }).find("of no clip of two") !=
        std::string::npos);
}

TEST_CASE("outside features: a folder of .npy") {
  const TempFolder folder;
  ThreadPool pool(2);
  const auto put = [&](const std::string& name, const FeatureMatrix& m) {
    write_npy(folder / name, {m.frames, m.dim}, std::span<const float>(m.values));
  };
  put("a.npy", matrix(2, 3, 0)), put("c.npy", matrix(5, 3, 9));
  Manifest manifest = two_clips();
  const FeatureSet set = OutsideFeatures(folder.path()).of(manifest, pool);
  REQUIRE(set.clips.size() == 2);
  CHECK(same(set.clips[0], matrix(5, 3, 9)));
  CHECK(error_of([&] { OutsideFeatures(folder.path()).manifest(); }).find("needs a manifest") != std::string::npos);

  FeatureMatrix broken = matrix(5, 3, 9);
  broken.values[7] = std::nanf("");
  put("c.npy", broken);
  const auto skipped = [&] { return OutsideFeatures(folder.path()).of(manifest, pool).manifest.skipped.at(0).reason; };
  CHECK(skipped() == "the features are not finite");
  manifest.clips[0].id = "../c";
  CHECK(skipped().find("leads out of the folder") != std::string::npos);
  manifest.clips[0].id = "missing";
  CHECK(skipped() == "no such file");
  manifest.clips[0].id = "c";
  put("c.npy", matrix(5, 4, 9));
  CHECK(error_of([&] { OutsideFeatures(folder.path()).of(manifest, pool); }).find("clip 'a' has other channels") !=
        std::string::npos);
  CHECK(error_of([&] { OutsideFeatures(folder / "none"); }) ==
        (folder / "none") +
            ": no such file or folder (expected an .npz file, or a folder with an .npy file for each clip)");
}
