#include "serene/data/feature_archive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "serene/core/error.h"
#include "serene/data/csv.h"
#include "serene/io/npz.h"

namespace serene {
namespace {

constexpr std::size_t kMostClips = 1000000;
constexpr Index kMostChannels = 65536;

using Texts = std::vector<std::string> FeatureArchive::*;
constexpr std::array<std::pair<const char*, Texts>, 4> kAboutClips{{{"labels", &FeatureArchive::labels},
                                                                    {"speakers", &FeatureArchive::speakers},
                                                                    {"sexes", &FeatureArchive::sexes},
                                                                    {"corpora", &FeatureArchive::corpora}}};

Error wrong(const NpzFile& file, const std::string& array, const std::string& problem) {
  return Error(ErrorCode::input, file.path() + ": " + array, problem);
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

void refuse_unknown_arrays(const NpzFile& file) {
  for (const std::string& name : file.names()) {
    const bool about =
        std::any_of(kAboutClips.begin(), kAboutClips.end(), [&](const auto& a) { return a.first == name; });
    if (about || name == "names" || name == "features" || name == "frames" || name == "classes") continue;
    throw wrong(file, printable(name), "unknown array")
        .expected("names, features, frames, labels, speakers, sexes, corpora and classes");
  }
}

// A list of texts; `count` of them, or any number for 0. Empty texts are allowed where nothing is known of a clip.
std::vector<std::string> texts_of(const NpzFile& file, const std::string& name, std::size_t count, bool may_be_empty) {
  NpyTexts texts = file.texts(name);
  if (texts.shape.size() != 1 || texts.values.size() > kMostClips || (count > 0 && texts.values.size() != count)) {
    throw wrong(file, name, "wrong shape")
        .expected(count > 0 ? "(" + std::to_string(count) + ",), one for each name" : "a list of texts")
        .got(shape_text(texts.shape));
  }
  for (const std::string& text : texts.values) {
    if (text.empty() ? may_be_empty : printable(text, text.size()) == text) continue;
    throw wrong(file, name, text.empty() ? "holds an empty text" : "holds a text of more than one line")
        .got("\"" + printable(text) + "\"");
  }
  return std::move(texts.values);
}

void refuse_twice(const NpzFile& file, const std::string& array, std::span<const std::string> texts) {
  std::unordered_set<std::string> seen;
  for (const std::string& text : texts) {
    if (!seen.insert(text).second) throw wrong(file, array, "'" + printable(text) + "' stands twice");
  }
}

// How many frames each clip has, at most `most`; all of them `otherwise` where the file does not say.
std::vector<Index> frames_of(const NpzFile& file, std::size_t clips, Index most, Index otherwise) {
  if (!file.has("frames")) return std::vector<Index>(clips, otherwise);
  const NpyArray<double> array = file.doubles("frames");
  if (array.shape.size() != 1 || array.values.size() != clips) {
    throw wrong(file, "frames", "wrong shape")
        .expected("(" + std::to_string(clips) + ",), one for each name")
        .got(shape_text(array.shape));
  }
  std::vector<Index> frames;
  for (const double n : array.values) {
    if (!(n >= 1 && n <= static_cast<double>(most) && n == std::floor(n))) {
      throw wrong(file, "frames", "not a number of frames")
          .expected("1 to " + std::to_string(most))
          .got(Json(n).dump());
    }
    frames.push_back(static_cast<Index>(n));
  }
  return frames;
}

// Clips of these frames, each `stride` frames behind the one before; 0: as many as that has.
std::vector<FeatureMatrix> cut(const NpyArray<float>& array, const std::vector<Index>& frames, Index stride) {
  std::vector<FeatureMatrix> clips;
  const float* at = array.values.data();
  for (const Index n : frames) {
    FeatureMatrix clip;
    clip.frames = n, clip.dim = array.shape.back();
    clip.values.assign(at, at + n * clip.dim);
    at += (stride > 0 ? stride : n) * clip.dim;
    clips.push_back(std::move(clip));
  }
  return clips;
}

std::vector<FeatureMatrix> clips_of(const NpzFile& file, std::size_t clips) {
  const NpyArray<float> array = file.floats("features", {.allow_nonfinite = true});
  const std::vector<Index>& shape = array.shape;
  const auto count = static_cast<Index>(clips);
  const auto fits = [&](std::size_t rank) {
    return shape.size() == rank && shape.back() >= 1 && shape.back() <= kMostChannels;
  };
  if (fits(3) && shape[0] == count && shape[1] >= 1)
    return cut(array, frames_of(file, clips, shape[1], shape[1]), shape[1]);
  if (fits(2) && !file.has("frames") && shape[0] == count) return cut(array, std::vector<Index>(clips, 1), 0);
  if (!fits(2) || !file.has("frames")) {
    throw wrong(file, "features", "wrong shape")
        .expected("(all frames, F) with an array frames, (" + std::to_string(clips) + ", T, F) or (" +
                  std::to_string(clips) + ", F), 1 <= F <= " + std::to_string(kMostChannels))
        .got(shape_text(shape));
  }
  const std::vector<Index> frames = frames_of(file, clips, std::max<Index>(shape[0], 1), 1);
  Index sum = 0;
  for (const Index n : frames) sum += n;  // at most a million clips of at most 2^48 frames: no overflow
  if (sum != shape[0]) {
    throw wrong(file, "frames", "does not fit the features")
        .expected(std::to_string(shape[0]) + " frames in all")
        .got(std::to_string(sum));
  }
  return cut(array, frames, 0);
}

}  // namespace

bool is_feature_archive(const std::string& path) { return lower_case(path).ends_with(".npz"); }

FeatureArchive read_feature_archive(const std::string& path) {
  const NpzFile file(path);
  refuse_unknown_arrays(file);
  FeatureArchive archive;
  archive.names = texts_of(file, "names", 0, false);
  const std::size_t clips = archive.names.size();
  if (clips == 0) throw wrong(file, "names", "holds no clip");
  refuse_twice(file, "names", archive.names);
  for (const auto& [name, texts] : kAboutClips) {
    if (file.has(name)) archive.*texts = texts_of(file, name, clips, texts != &FeatureArchive::labels);
  }
  if (file.has("classes")) archive.classes = texts_of(file, "classes", 0, false);
  refuse_twice(file, "classes", archive.classes);
  archive.clips = clips_of(file, clips);
  return archive;
}

void write_feature_archive(const std::string& path, const FeatureArchive& archive) {
  std::vector<Index> frames;
  std::vector<float> values;
  for (const FeatureMatrix& clip : archive.clips) {
    frames.push_back(clip.frames);
    values.insert(values.end(), clip.values.begin(), clip.values.end());
  }
  const auto clips = static_cast<Index>(archive.clips.size());
  Index all = 0;
  for (const Index n : frames) all += n;
  std::vector<NpzArray> arrays;
  const auto add = [&](const char* name, const std::vector<std::string>& texts) {
    arrays.push_back({name, npy_bytes({static_cast<Index>(texts.size())}, std::span<const std::string>(texts))});
  };
  with_context(path, [&] {
    add("names", archive.names);
    arrays.push_back({"features", npy_bytes({all, archive.dim()}, std::span<const float>(values))});
    values = {};
    arrays.push_back({"frames", npy_bytes({clips}, std::span<const Index>(frames))});
    for (const auto& [name, texts] : kAboutClips) {
      if (!(archive.*texts).empty()) add(name, archive.*texts);
    }
    if (!archive.classes.empty()) add("classes", archive.classes);
  });
  write_npz(path, arrays);
}

}  // namespace serene
