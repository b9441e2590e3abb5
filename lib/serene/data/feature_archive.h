// Features of many clips in one .npz file, for other tools and from them. Its arrays:
//
//   names     (clips,)            text          the clips' ids, each once
//   features  (all frames, F)     float32       the clips' frames one after the other, with
//   frames    (clips,)            whole number  how many of them each clip has
//   labels, speakers, sexes, corpora (clips,)   text, each may be absent
//   classes   (labels,)           text          the labels in the order of a model's classes; may be absent
//
// Also read: features (clips, T, F), where frames counts the valid ones of T (all, when absent), and without `frames`
// (clips, F): one vector for each clip. Any number type; texts may be whole numbers. Other arrays are refused.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "serene/audio/features.h"

namespace serene {

struct FeatureArchive {
  std::vector<std::string> names;
  std::vector<FeatureMatrix> clips;                           // beside names, all of one width
  std::vector<std::string> labels, speakers, sexes, corpora;  // beside names, or empty
  std::vector<std::string> classes;                           // or empty

  Index dim() const noexcept { return clips.empty() ? 0 : clips.front().dim; }  // F
};

// Whether the path ends in .npz, in any letter case.
bool is_feature_archive(const std::string& path);

// Throws Error naming the file and the array: broken archives, arrays that are missing or of different lengths, texts
// that are empty or not one line, a name that comes twice, a clip without frames. NaN and infinity are let through.
FeatureArchive read_feature_archive(const std::string& path);

// Crash-safe. Throws Error(input) naming the file.
void write_feature_archive(const std::string& path, const FeatureArchive& archive);

}  // namespace serene
