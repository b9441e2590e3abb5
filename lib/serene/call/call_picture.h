// The pictures of a call's report, each a self-contained SVG document (eval/svg.h).
#pragma once

#include <string>

#include "serene/call/call_summary.h"

namespace serene {

// On one time axis: alerts and advice, the customer's state, the probabilities stacked, the share of unpleasant states,
// and below them when each side spoke, where both did and where nobody. truth: the labels that a simulation played, or
// null. The tables of the report say the same in words.
std::string timeline_picture(const CallTimeline& timeline, const Json& truth, const std::string& title);

// Two bars of shares: of the customer's speech and of the call.
std::string shares_picture(const std::vector<StateShare>& shares, const std::string& title);

// "4:05", "1:02:09".
std::string clock_text(std::int64_t ms);
// "no_speech" -> "no speech".
std::string state_words(const std::string& state);

}  // namespace serene
