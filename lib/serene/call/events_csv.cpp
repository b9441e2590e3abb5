#include <algorithm>

#include "serene/call/call_report.h"

namespace serene {
namespace {

const std::vector<std::string>& plain_columns() {
  static const std::vector<std::string> columns = {
      "seq",      "t_ms",       "type",       "action",    "leg",       "at_ms",        "duration_ms", "state",
      "previous", "top",        "confidence", "window_ms", "speech_ms", "direction",    "negative",    "slope_per_min",
      "alert",    "rule",       "severity",   "text",      "reason",    "value",        "for_ms",      "supervisor",
      "lamp",     "level_dbfs", "snr_db",     "clipping",  "loss",      "band_limited", "bad_samples"};
  return columns;
}

std::string cell_of(const Json& value) {
  if (value.is_null() || value.is_structured()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (!value.is_string()) return text;
  if (!text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos) text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string row_of(const Json& event, const std::vector<std::string>& states) {
  std::string row;
  for (const std::string& column : plain_columns()) {
    const auto at = event.find(column);
    row += (row.empty() && column == plain_columns().front() ? "" : ",") + (at == event.end() ? "" : cell_of(*at));
  }
  const auto probabilities = event.find("probabilities");
  for (const std::string& state : states) {
    const bool there = probabilities != event.end() && probabilities->is_object() && probabilities->contains(state);
    row += "," + (there ? cell_of((*probabilities)[state]) : "");
  }
  return row + "\r\n";
}

}  // namespace

std::string events_csv(const CallRecord& record) {
  const CallTimeline timeline = read_timeline(record);  // every line but a torn last one can be read
  std::string text;
  for (const std::string& column : plain_columns()) text += (text.empty() ? "" : ",") + column;
  for (const std::string& state : timeline.states) text += "," + cell_of(Json("p_" + state));
  text += "\r\n";
  const std::size_t rows = record.lines.size() - (timeline.torn ? 1 : 0);
  for (std::size_t i = 0; i < rows; ++i) text += row_of(parse_json(record.lines[i], record.id), timeline.states);
  return text;
}

}  // namespace serene
