// How often the recognised state was the state that was played: the events of a simulated call against its truth.
//
// Each event "emotion" looks back over the last window_ms of the customer's speech as the call heard it (events
// "speech"); the emotion that covers most of that is the truth of the window, the earlier one when two cover the same.
// A window that touches no piece with a known emotion is not counted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "serene/call/call_audio.h"
#include "serene/call/call_config.h"

namespace serene {

struct TruthShares {
  std::int64_t windows = 0;
  std::int64_t right = 0, uncertain = 0, wrong = 0;  // by the state that the event tells
  std::int64_t best_right = 0;                       // by its most probable state, whether certain or not
};

struct TruthScore {
  TruthShares all;
  TruthShares unmixed;  // windows in which a single state was played
  // counts[truth][told], by name.
  std::map<std::string, std::map<std::string, std::int64_t>> counts;
};

// events: those of one call in order, event_line parsed (others are passed over). groups: the states of the
// model, which turn the words of the truth ("calm") into states ("neutral").
TruthScore score_truth(const std::vector<TruthPiece>& truth, const std::vector<StateGroup>& groups,
                       const std::vector<Json>& events);

// {"windows", "right", "uncertain", "wrong", "best_right" as shares of windows, "unmixed": {...}, "counts": {...}};
// shares are null when there is no window.
Json to_json(const TruthScore& score);

}  // namespace serene
