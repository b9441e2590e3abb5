#include "call_recorder.h"

#include <cerrno>

#include "command.h"
#include "serene/call/call_report.h"
#include "serene/call/call_summary.h"
#include "serene/call/truth_score.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"

namespace serene::cli {

CallRecorder::CallRecorder(const CallHeader& header, Json truth, RecorderTargets targets)
    : targets_(std::move(targets)), played_ms_(std::make_shared<std::atomic<std::int64_t>>(0)) {
  record_.id = header.id;
  record_.title = header.title;
  record_.started_at = header.started_at;
  record_.source = header.source;
  record_.model = header.model;
  record_.consent = header.consent;
  record_.truth = std::move(truth);
  if (!targets_.folder.empty()) {
    make_folder(targets_.folder);
    const std::string path = targets_.folder + "/events.jsonl";
    file_.reset(std::fopen(path.c_str(), "wb"));
    if (!file_) throw Error(ErrorCode::input, printable(path, 500), errno_text(errno));
  }
  targets_.station->begin_record(record_);
  targets_.station->open(record_, header.states);
  seen_as_ = targets_.view->open(header);
}

CallRecorder::~CallRecorder() { targets_.station->close(record_.id); }

void CallRecorder::problem(const std::string& what) {
  failed_ = true;
  targets_.view->remark("serene: call " + record_.id + ": " + what);
}

void CallRecorder::write_events(const std::string& line) {
  if (!file_) return;
  const std::string text = line + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() && std::fflush(file_.get()) == 0) return;
  const int code = errno;
  file_.reset();
  problem(printable(targets_.folder, 500) + "/events.jsonl: " + errno_text(code));
}

void CallRecorder::flush_history(bool last) {
  const auto moment = std::chrono::steady_clock::now();
  if (!in_history_still_ || (!last && moment - flushed_ < std::chrono::seconds(1))) return;
  flushed_ = moment;
  try {
    targets_.station->append_record(record_.id, std::span(record_.lines).subspan(in_history_));
    in_history_ = record_.lines.size();
    if (last) targets_.station->end_record(record_.id, record_.reason);
  } catch (const Error& e) {
    in_history_still_ = false;
    problem(e.what());
  }
}

void CallRecorder::event(const Json& event, const std::string& line) {
  record_.lines.push_back(line);
  if (text_in(event, "type") == "call" && text_in(event, "action") == "end")
    record_.reason = text_in(event, "reason", 24);
  targets_.view->event(seen_as_, event, line);
  targets_.station->publish(record_.id, line);
  write_events(line);
  flush_history(false);
}

void CallRecorder::tick(std::int64_t t_ms) {
  played_ms_->store(t_ms);
  targets_.view->tick(seen_as_, t_ms);
}

void CallRecorder::status(std::int64_t t_ms, const LatencyFigures& latency) {
  targets_.view->status(seen_as_, latency);
  targets_.station->status(record_.id, t_ms, latency);
}

std::vector<CallCommand> CallRecorder::commands() { return targets_.station->commands(record_.id); }

void CallRecorder::offer_sound(const CallAudio& audio) { targets_.station->offer_sound(record_.id, audio, played_ms_); }

void CallRecorder::keep(const std::string& name, const std::string& type, const std::string& text) {
  targets_.station->add_document(record_.id, name, type, text);
  if (!targets_.folder.empty() && name != "events.jsonl") write_file_atomic(targets_.folder + "/" + name, text);
}

void CallRecorder::finish(const LatencyFigures& latency, const CallAudio* audio,
                          const std::vector<StateGroup>& groups) {
  flush_history(true);
  file_.reset();
  if (!targets_.report) return;
  try {
    const CallSummary summary = summarize(record_);
    Json json = to_json(summary);
    if (latency.windows > 0) {
      json["latency_ms"] = {
          {"windows", latency.windows}, {"median", latency.median}, {"p99", latency.p99}, {"max", latency.max}};
    }
    if (audio != nullptr && !audio->truth.empty()) {
      std::vector<Json> events;
      for (const std::string& line : record_.lines) events.push_back(parse_json(line, "event"));
      json["truth"] = record_.truth;
      json["correct"] = to_json(score_truth(audio->truth, groups, events));
    }
    std::string lines;
    for (const std::string& line : record_.lines) lines += line + "\n";
    keep("report.html", "text/html; charset=utf-8", call_report_html(record_, summary));
    keep("summary.json", "application/json", json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    keep("events.csv", "text/csv; charset=utf-8", events_csv(record_));
    keep("events.jsonl", "application/jsonl", lines);
  } catch (const Error& e) {
    problem(e.what());
  }
}

}  // namespace serene::cli
