// What is wrong with a corpus on disk: found by reading every clip, not by trusting names or headers.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/json.h"
#include "serene/core/thread_pool.h"
#include "serene/data/manifest.h"
#include "serene/data/progress.h"

namespace serene {

// Clips with the same audio.
struct DuplicateGroup {
  std::string hash;                      // of the decoded samples
  std::vector<std::string> ids, labels;  // side by side
  bool contradictory = false;            // not all labels are equal
};

struct OddDuration {
  std::string id;
  double seconds = 0;
};

struct DataReport {
  std::string name, root;
  std::size_t clips = 0, expected_clips = 0;  // expected: 0 when unknown
  std::vector<std::string> labels;
  std::vector<std::size_t> label_clips, expected_label_clips;
  std::size_t speakers = 0, expected_speakers = 0;
  double hours = 0, shortest_s = 0, median_s = 0, longest_s = 0;
  std::vector<std::string> missing;     // ids whose file is not there: listed in the manifest or in the published list
  std::vector<std::string> unexpected;  // ids that are not in that list
  std::vector<SkippedClip> broken;      // unreadable, empty, silent, not finite
  std::vector<SkippedClip> unnamed;     // audio files whose names break the grammar
  std::vector<DuplicateGroup> duplicates;  // contradictory ones included
  std::vector<std::string> stereo;
  std::vector<OddDuration> odd_durations;
  std::vector<std::pair<int, std::size_t>> rates;  // sample rate -> clips
  std::size_t checksums_compared = 0;  // files whose published SHA-256 could be compared (the originals alone)
  std::vector<std::string> changed;    // ids whose bytes differ from the published ones
  std::map<std::string, std::size_t> left_out;

  std::size_t contradictory() const noexcept;  // groups
  // Nothing missing, broken, changed, contradictory or short of the published number.
  bool clean() const noexcept;
};

// Reads every clip in parallel, once. Silent means: no sample above one and a half steps of 16 bit. Published lists are
// used when a folder `checksums` lies in the manifest's root, its parent or grand-parent. Does not throw for anything
// wrong with the data. The report does not depend on the number of threads.
DataReport check_corpus(const Manifest& manifest, ThreadPool& pool, const DataProgress& progress = {});

// The whole report, as `serene data check --json` prints it.
Json to_json(const DataReport& report);
// For a terminal; long lists are cut after max_rows.
std::string to_table(const DataReport& report, std::size_t max_rows = 20);

}  // namespace serene
