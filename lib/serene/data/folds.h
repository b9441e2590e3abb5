// Published folds of whole speakers: built in, or read from a CSV of the same form.
#pragma once

#include <string>
#include <vector>

namespace serene {

struct SpeakerFold {
  int fold = 0;
  std::vector<std::string> test, validation;  // as written: "2", "1001"; validation may be empty
};

// ravdess-luna5, ravdess-emobox6, cremad-hicmae5; throws Error for another protocol.
std::vector<SpeakerFold> built_in_folds(const std::string& protocol);

// A table with the columns fold and test_actors|test_speakers, perhaps val_actors|val_speakers|validation_speakers, and
// perhaps protocol, whose rows are then chosen by the protocol's name with or without the corpus ("luna5"). Speakers
// are separated by spaces. Throws Error naming file:line: no row of this protocol, a fold without test speakers or that
// comes twice, a speaker in two places.
std::vector<SpeakerFold> read_folds(const std::string& path, const std::string& protocol);

// Whether a speaker of a manifest ("ravdess-03") is the one written in a table or a config ("ravdess-03", "03", "3").
bool is_same_speaker(const std::string& speaker, const std::string& written);

}  // namespace serene
