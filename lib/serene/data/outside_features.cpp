#include "serene/data/outside_features.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include "serene/core/error.h"
#include "serene/core/finite.h"
#include "serene/core/sha256.h"
#include "serene/data/content.h"
#include "serene/io/npy.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

// What was found for one clip; `reason` when it cannot be used.
struct Found {
  FeatureMatrix features;
  std::string hash, reason;
};

// The frames and channels count too: equal values in another shape are other features.
std::string hash_of(const FeatureMatrix& m) {
  Sha256 sum;
  sum.update(std::to_string(m.frames) + " " + std::to_string(m.dim) + "\n");
  sum.update(std::as_bytes(std::span<const float>(m.values)));
  return sum.hex();
}

FeatureMatrix read_matrix(const std::string& path) {
  NpyArray<float> array = read_npy<float>(path, {.allow_nonfinite = true});
  const auto& shape = array.shape;
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) {
    throw Error(ErrorCode::input, path, "wrong shape").expected("(frames, channels)").got(Json(shape).dump());
  }
  FeatureMatrix m;
  m.frames = shape[0], m.dim = shape[1], m.values = std::move(array.values);
  return m;
}

// An id is a file's name below the folder; one that leads out of it is not looked for.
std::string file_of(const std::string& folder, const std::string& id) {
  const fs::path name(id + ".npy");
  const bool leads_out = name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end();
  if (leads_out) throw Error(ErrorCode::input, printable(id), "an id that leads out of the folder of features");
  return (fs::path(folder) / name).string();
}

Found found_in_folder(const std::string& folder, const std::string& id) {
  Found found;
  std::string path;
  try {
    path = file_of(folder, id);
    found.features = read_matrix(path);
  } catch (const Error& error) {
    found.reason = reason_of(error, path);
  }
  return found;
}

void require_one_width(const FeatureSet& set, const std::string& path) {
  for (std::size_t i = 0; i < set.clips.size(); ++i) {
    if (set.clips[i].dim == set.dim) continue;
    throw Error(ErrorCode::input, path, "clip '" + printable(set.manifest.clips[i].id) + "' has other channels")
        .expected(std::to_string(set.dim) + " as clip '" + printable(set.manifest.clips[0].id) + "'")
        .got(std::to_string(set.clips[i].dim));
  }
}

void require_some(const FeatureSet& set, const Manifest& wanted, const std::string& path) {
  if (!set.clips.empty()) return;
  throw Error(ErrorCode::input, path, "holds usable features of no clip of " + printable(wanted.name))
      .hint(set.manifest.skipped.empty() ? "" : set.manifest.skipped.back().reason);
}

}  // namespace

OutsideFeatures::OutsideFeatures(const std::string& path) : path_(path) {
  std::error_code unseen;
  folder_ = fs::is_directory(path, unseen);
  if (folder_) return;
  if (is_feature_archive(path)) {
    archive_ = read_feature_archive(path);
    return;
  }
  const bool there = fs::exists(path, unseen);
  throw Error(there ? ErrorCode::input : ErrorCode::not_found, path, there ? "no features" : "no such file or folder")
      .expected("an .npz file, or a folder with an .npy file for each clip");
}

Manifest OutsideFeatures::manifest(const std::vector<std::string>& labels) const {
  if (folder_) {
    throw Error(ErrorCode::usage, path_, "a folder of features needs a manifest, which says whose they are")
        .hint("name it with data.manifest or --manifest");
  }
  if (archive_.labels.empty()) {
    throw Error(ErrorCode::input, path_, "holds no labels").hint("add an array labels, or name a manifest");
  }
  const auto text = [](const std::vector<std::string>& texts, std::size_t i) { return texts.empty() ? "" : texts[i]; };
  std::vector<Clip> clips(archive_.names.size());
  for (std::size_t i = 0; i < clips.size(); ++i) {
    Clip& clip = clips[i];
    clip.id = archive_.names[i], clip.path = path_ + "/" + clip.id;
    clip.label = archive_.labels[i], clip.speaker = text(archive_.speakers, i);
    clip.sex = text(archive_.sexes, i), clip.corpus = text(archive_.corpora, i);
  }
  Manifest manifest =
      manifest_of_clips(fs::path(path_).stem().string(), std::move(clips), labels.empty() ? archive_.classes : labels,
                        [&](std::size_t i) { return path_ + ": " + printable(archive_.names[i]); });
  manifest.root = fs::path(path_).parent_path().string();
  return manifest;
}

FeatureSet OutsideFeatures::of(const Manifest& manifest, ThreadPool& pool, const DataProgress& progress) && {
  std::unordered_map<std::string, std::size_t> place_of_name;
  for (std::size_t i = 0; i < archive_.names.size(); ++i) place_of_name.emplace(archive_.names[i], i);
  std::vector<Found> all(manifest.clips.size());
  for_each_clip(pool, all.size(), progress, [&](std::size_t i, int) {
    const std::string& id = manifest.clips[i].id;
    Found& found = all[i];
    if (folder_) {
      found = found_in_folder(path_, id);
    } else if (const auto at = place_of_name.find(id); at != place_of_name.end()) {
      found.features = std::move(archive_.clips[at->second]);  // ids come once
    } else {
      found.reason = "no features of it in " + printable(path_, 300);
    }
    const auto& values = found.features.values;
    if (!found.reason.empty()) return;
    if (!all_finite(values.data(), static_cast<Index>(values.size()))) found.reason = "the features are not finite";
    else found.hash = hash_of(found.features);
  });

  FeatureSet set;
  set.manifest = subset(manifest, {});
  std::size_t named = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Clip& clip = manifest.clips[i];
    named += place_of_name.count(clip.id);
    if (!all[i].reason.empty()) {
      set.manifest.skipped.push_back({clip.path, all[i].reason});
      continue;
    }
    set.manifest.clips.push_back(clip);
    set.clips.push_back(std::move(all[i].features));
    set.audio_hashes.push_back(std::move(all[i].hash));
  }
  if (named < archive_.names.size()) set.manifest.left_out["not in the manifest"] += archive_.names.size() - named;
  require_some(set, manifest, path_);
  set.dim = set.clips.front().dim;
  require_one_width(set, path_);
  set.config = outside_features(set.dim);
  return set;
}

}  // namespace serene
