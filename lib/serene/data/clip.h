// One recording of a corpus and what is known about it.
#pragma once

#include <map>
#include <string>

namespace serene {

struct Clip {
  std::string id;                       // the file's stem, unique within a manifest
  std::string path;                     // readable from the current folder
  std::string label;                    // a word of Manifest::labels
  std::string speaker;                  // "ravdess-07", "cremad-1017"; "" when unknown
  std::string sex;                      // "male", "female" or ""
  std::string corpus;                   // "ravdess", "cremad", ... or the manifest's own word
  std::string statement;                // which sentence or word was spoken
  std::string intensity;                // "normal", "strong", "low", "medium", "high" or ""
  std::string repetition;               // "1", "2", a version letter, or ""
  std::string language;                 // ISO 639-1, or ""
  std::map<std::string, double> votes;  // share or number of listeners by label; may be empty

  bool operator==(const Clip&) const = default;
};

// A file that could not be used, and why, in one line.
struct SkippedClip {
  std::string path;
  std::string reason;

  bool operator==(const SkippedClip&) const = default;
};

}  // namespace serene
