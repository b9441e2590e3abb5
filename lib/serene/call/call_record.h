// What is kept of one call: its header and its events, never its sound. Plain data, in the form of the history and of
// the files beside a report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serene/core/json.h"

namespace serene {

struct CallRecord {
  std::string id;          // is_call_id; unique in a history
  std::string title;       // what the screen shows
  std::string started_at;  // ISO 8601 in UTC, "2026-11-23T14:05:00Z"
  std::string source;      // "scenario rising_anger.json", "microphone", ...
  std::string model;
  std::string consent;             // "required", "assumed" or "off"
  std::string reason;              // why it ended: "finished", "hang_up", "dropped"; empty while it runs
  std::vector<std::string> lines;  // one event each (event.h), without line end
  Json truth;                      // of a simulated call: [{"leg","start_ms","end_ms","emotion"}, ...]; null otherwise
};

// Whether text may be the id of a call, and so the name of a file: 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front.
bool is_call_id(std::string_view text) noexcept;

// "2026-11-23T14:05:00Z" of seconds since 1970; years 1970 to 9999, what lies outside is moved to the edge.
std::string utc_text(std::int64_t unix_s);
// The reverse; also takes a day alone ("2026-11-23", its first second) and a fraction of seconds, which is dropped.
// Throws Error(input) naming `where`.
std::int64_t unix_seconds(std::string_view text, const std::string& where);

}  // namespace serene
