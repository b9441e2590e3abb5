// Test recordings as they would sound elsewhere: in noise, in a room, over a telephone. How much a model loses there is
// measured with these; nothing is trained on them.
//
// A condition is a text of changes joined by '+', in any order:
//   white:10  pink:0  babble:5   noise, the voice so many decibels above it while it speaks (audio/noise.h); -20 to 100
//   room:0.5                     a room that falls silent by 60 dB in so many seconds (0.02 to 5), direct sound 3 dB
//                                above the rest
//   rate:8000                    sampled at this rate (1000 to 192000) and back: nothing above half of it is left
//   telephone                    a line of 8 kHz and mu-law
//   telephone-band               the same, of which the band from 300 to 3400 Hz alone is left
//   loss:0.02                    that share of the line's packets of 20 ms is lost (0 to 0.5), two in a row in the mean;
//                                a telephone when no line is named
// They happen in the order of the world: room, noise, rate, line. The whole recording is changed and then treated as
// any other: what counts as silence at its ends is decided by what is heard.
//
// What is drawn belongs to the clip's id alone: the same noise at every level, for every model and any number of
// threads. Babble: six clips of other speakers of the same corpus among the clips that are tested together, silent ends
// cut off; without other speakers noise that swells and fades like syllables.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/feature_cache.h"
#include "serene/data/wave_change.h"
#include "serene/data/wave_store.h"

namespace serene {

struct TestCondition {
  std::string name;  // the changes in the order of the world, numbers as short as can be: "babble:5+telephone"
  WaveDraw draw;     // of any clip but for its seed
};

// Throws Error(usage) that names the condition and what is wrong with it.
TestCondition parse_condition(const std::string& text);

// In words, one phrase a change.
std::vector<std::string> describe(const TestCondition& condition);

// Throws Error(usage) when features of this rate cannot show the condition: a line of 8 kHz needs at least that, and a
// lower rate must be lower.
void check(const TestCondition& condition, const FeatureConfig& features);

// Recordings that are tested together, in memory (16 bit), to be changed. Thread-safe once made.
class ChangedClips {
 public:
  // clips: places in plain.manifest, none twice. Reads their recordings, from plain.cache_dir where they are kept.
  // Throws Error naming the file that cannot be read.
  ChangedClips(const FeatureSet& plain, std::span<const std::size_t> clips, ThreadPool& pool,
               const DataProgress& progress = {});

  // Features of the changed clips, in the order of `clips`; never kept on disk. Throws Error as check() does, and
  // naming the clip that gives no features.
  FeatureSet features(const TestCondition& condition, ThreadPool& pool) const;
  // The changed recording of a clip (a place in `clips`).
  std::vector<float> wave(std::size_t clip, const TestCondition& condition) const;

 private:
  std::vector<std::vector<float>> voices_for(std::size_t clip, const WaveDraw& draw) const;

  FeatureSet plain_;  // of the clips alone, without their features
  WaveStore store_;
  // Places sorted by corpus, speaker and id, and of each clip the stretches of its corpus and of its speaker therein.
  struct Neighbours {
    std::size_t corpus_begin = 0, corpus_end = 0, speaker_begin = 0, speaker_end = 0;
  };
  std::vector<std::size_t> order_;
  std::vector<Neighbours> neighbours_;
};

}  // namespace serene
