// Who trains, who chooses, who tests: the protocols of evaluation, and the rules that keep the parts apart.
//
//   ravdess-luna5    5 folds of whole actors (Luna-Jimenez et al. 2021), with the published validation actors
//   ravdess-emobox6  6 folds of 4 actors (EmoBox, Ma et al. 2024); one man and one woman of the rest validate
//   cremad-hicmae5   5 blocks of actors (HiCMAE, Sun et al. 2024); about a tenth of the rest, balanced by sex, validate
//   random10         stratified random folds by clip: speaker-DEPENDENT
//   holdout          one split by whole speakers
//   cross            train on one corpus of a merged manifest, test on another
//
// The protocols named after a corpus split the clips of that corpus alone; all others of a merged manifest train.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/json.h"
#include "serene/data/manifest.h"

namespace serene {

// Places in Manifest::clips, each list in rising order. The parts never overlap.
struct Split {
  std::string protocol;
  std::string name;  // "ravdess-luna5 fold 0"
  int fold = 0;
  std::vector<std::size_t> train, validation, test;

  bool operator==(const Split&) const = default;
};

struct SplitOptions {
  std::uint64_t seed = 0;
  std::string folds_file;  // CSV that replaces the built-in folds: protocol,fold,test_actors,val_actors or
                           // fold,test_speakers,...
  // random10
  int folds = 10;
  // holdout: named speakers, or shares of the speakers (at least one each), balanced by sex where it is known. A
  // validation share is of all speakers for holdout, of the training part's speakers (folds of actors, cross) or clips
  // (random10) elsewhere.
  std::vector<std::string> test_speakers, validation_speakers;  // "ravdess-03", "03" or "3"
  double test_fraction = 0.2;
  double validation_fraction = 0.1;
  // cross
  std::string train_corpus, test_corpus;
};

// All protocols that a config may name.
const std::vector<std::string>& protocol_names();

// Whether the protocol promises that no speaker stands in two parts (all but random10 and kaggle-leaky).
bool keeps_speakers_apart(const std::string& protocol);

// contents: a content hash per clip (FeatureSet::audio_hashes), or empty. Clips with equal hashes stay together in
// random10, and every split is verified with them. Speakers that a fold does not name train. A pure function of its
// arguments. Throws Error: unknown protocol, a corpus that does not fit it, unknown speakers, an empty part, a leak.
std::vector<Split> make_splits(const std::string& protocol, const Manifest& manifest, const SplitOptions& options = {},
                               std::span<const std::string> contents = {});

// Throws Error naming the clips or speakers when a clip stands in two parts, a speaker does although the protocol
// promises otherwise, two clips of equal content do, or an index is out of range. contents may be empty.
void verify_split(const Split& split, const Manifest& manifest, std::span<const std::string> contents = {});

// 0..n-1 at random into (training, test) rows, each in rising order; test gets round(n * test_fraction), at least 1 and
// at most n - 1. For the leaky protocol, whose rows are features of augmented copies. Throws Error when n < 2 or the
// fraction is not in (0, 1).
std::pair<std::vector<std::size_t>, std::vector<std::size_t>> random_rows(std::size_t n, double test_fraction,
                                                                          std::uint64_t seed);

// By clip ids, for the run folder. split_from_json throws Error when an id is not in the manifest.
Json split_to_json(const Split& split, const Manifest& manifest);
Split split_from_json(const Json& json, const std::string& where, const Manifest& manifest);

}  // namespace serene
