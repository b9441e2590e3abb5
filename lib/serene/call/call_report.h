// What is handed out after a call: one self-contained page, and its events as a table.
#pragma once

#include <string>

#include "serene/call/call_summary.h"

namespace serene {

// A page without script or outside reference: timeline, shares, turning points, alerts, advice, talk, sound, limits and
// the notice about AI. summary: of the same record. Throws Error as read_timeline does. Thread-safe.
std::string call_report_html(const CallRecord& record, const CallSummary& summary);

// One row per event, RFC 4180 with CRLF: the fields of event.h as columns, "p_<state>" for each probability. Texts that
// a spreadsheet would take for a formula get an apostrophe in front.
std::string events_csv(const CallRecord& record);

// What every page about calls says: what was heard, and what it does not mean.
std::string ai_notice();

}  // namespace serene
