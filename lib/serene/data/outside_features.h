// Features that another program computed, for training and testing as if they were those of recordings.
//
// From one .npz of many clips (feature_archive.h), or from a folder with one .npy of (frames, F) for each clip of a
// manifest, named by its id: DIR/<id>.npy.
#pragma once

#include <string>
#include <vector>

#include "serene/data/feature_archive.h"
#include "serene/data/feature_cache.h"

namespace serene {

class OutsideFeatures {
 public:
  // path: an .npz file, which is read here, or a folder. Throws Error(not_found) for neither, and as
  // read_feature_archive does.
  explicit OutsideFeatures(const std::string& path);

  // The clips of the .npz by its own labels and speakers; labels as in read_manifest, the archive's classes when empty.
  // Throws Error(input) when it holds no labels, Error(usage) for a folder.
  Manifest manifest(const std::vector<std::string>& labels = {}) const;

  // The features of the manifest's clips, found by their ids. Clips without usable ones (missing, broken, not finite)
  // are skipped and listed; those in the file that the manifest does not name are counted in left_out. config is
  // outside_features(F), and audio_hashes are those of the values. Throws Error(input) when no clip can be used or when
  // F is not the same everywhere. Does not depend on the number of threads. Takes what was read with it.
  FeatureSet of(const Manifest& manifest, ThreadPool& pool, const DataProgress& progress = {}) &&;

 private:
  std::string path_;
  bool folder_ = false;
  FeatureArchive archive_;  // of an .npz
};

}  // namespace serene
