// serene calls: the calls that were kept, listed, shown, handed out, erased and summed up.
#ifdef SERENE_WITH_SERVER

#include <algorithm>
#include <filesystem>
#include <limits>

#include "command.h"
#include "serene/call/call_picture.h"
#include "serene/call/call_report.h"
#include "serene/call/calls_overview.h"
#include "serene/eval/text_table.h"
#include "serene/io/atomic_file.h"
#include "serene/server/history.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kActions = "list, show, export, purge, summary or audit";

std::string history_path(const Arguments& args) {
  return args.has("history") ? args.get<std::string>("history") : History::default_path();
}

// For reading alone; a history that nobody made yet is an error that says so.
History open_to_read(const Arguments& args) {
  HistoryOptions options;
  options.write = false;
  return History(history_path(args), options);
}

// For actions that leave a note in the file. Nothing is purged by the way, and no file is made.
History open_to_write(const Arguments& args) {
  open_to_read(args);
  HistoryOptions options;
  options.keep_days = 0;
  return History(history_path(args), options);
}

HistoryFilter filter_of(const Arguments& args) {
  HistoryFilter filter;
  if (args.has("since")) filter.since = args.get<std::string>("since");
  if (args.has("until")) filter.until = args.get<std::string>("until");
  if (args.has("limit")) filter.limit = args.get<std::int64_t>("limit");
  if (args.has("limit") && filter.limit < 1)
    throw Error(ErrorCode::usage, "--limit", "out of range").expected("1 or more");
  for (const char* option : {"since", "until"}) {
    if (!args.has(option)) continue;
    try {
      unix_seconds(args.get<std::string>(option), std::string("--") + option);
    } catch (const Error& e) {
      throw Error(ErrorCode::usage, e.where(), e.problem()).expected("such as 2026-11-23 or 2026-11-23T14:05:00Z");
    }
  }
  return filter;
}

// The words after the action.
std::vector<std::string> ids_of(const Arguments& args) {
  auto words = args.positional();
  words.erase(words.begin());
  return words;
}

void need_ids(const std::vector<std::string>& ids, std::size_t least, std::size_t most, const std::string& action) {
  if (ids.size() >= least && ids.size() <= most) return;
  const std::string problem = most == 0       ? "takes no further words"
                              : least == most ? "needs the id of one call"
                                              : "needs the id of a call";
  throw Error(ErrorCode::usage, "serene calls " + action, problem).hint("see serene calls --help");
}

// What stands in the file may be broken text.
std::string json_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string state_of(const CallRecord& call) { return call.reason.empty() ? "running" : call.reason; }

int list(const Arguments& args) {
  need_ids(ids_of(args), 0, 0, "list");
  const auto entries = open_to_read(args).list(filter_of(args));
  Json items = Json::array();
  TextTable table({"id", "started (UTC)", "length", "events", "state", "consent", "title"});
  for (const HistoryEntry& e : entries) {
    const CallRecord& h = e.header;
    items.push_back(Json{{"id", h.id},
                         {"title", h.title},
                         {"started_at", h.started_at},
                         {"source", h.source},
                         {"model", h.model},
                         {"consent", h.consent},
                         {"state", state_of(h)},
                         {"duration_ms", e.duration_ms},
                         {"events", e.events}});
    table.row({printable(h.id, 64), printable(h.started_at, 30), clock_text(e.duration_ms), std::to_string(e.events),
               printable(state_of(h), 20), printable(h.consent, 12), printable(h.title, 60)});
  }
  if (args.has("json")) {
    print(json_text(items));
  } else {
    print(entries.empty() ? "No calls are kept.\n" : table.str());
  }
  return 0;
}

std::string summary_text(const CallSummary& s) {
  const auto seconds = [](std::int64_t ms) { return fixed(static_cast<double>(ms) / 1000, 1) + " s"; };
  std::string text = printable(s.title, 100) + "\n" + s.id + ", started " + s.started_at + ", " +
                     clock_text(s.duration_ms) + ", " + (s.complete ? state_words(s.reason) : "dropped") + ", model " +
                     printable(s.model, 60) + "\n\n";
  text += "feeling     " + state_words(s.feeling_start) + " at start, " + state_words(s.feeling_end) +
          " at end; unpleasant " + fixed(100 * s.negative_start, 0) + " % to " + fixed(100 * s.negative_end, 0) +
          " %\n";
  text += "talk        customer " + seconds(s.speech[0].total_ms) + ", agent " + seconds(s.speech[1].total_ms) +
          ", nobody " + seconds(s.silence.total_ms) + ", both " + seconds(s.overlap.total_ms) + "\n";
  text += "anger       " +
          std::string(!s.anger      ? "none heard"
                      : s.recovered ? "eased after " + seconds(s.recovery_ms)
                                    : "did not ease") +
          "\n\n";
  TextTable shares({"state", "of speech %", "of call %"});
  for (const StateShare& x : s.shares)
    shares.row({state_words(x.state), fixed(100 * x.of_speech, 1), fixed(100 * x.of_call, 1)});
  text += shares.str();
  if (s.alerts.empty()) return text + "\nno alerts\n";
  TextTable alerts({"alert", "raised", "acknowledged", "cleared", "severity", "text"});
  for (const AlertEntry& a : s.alerts) {
    const auto at = [](const std::optional<std::int64_t>& ms) { return ms ? clock_text(*ms) : "-"; };
    alerts.row({std::to_string(a.number), clock_text(a.raised_ms), at(a.acknowledged_ms), at(a.cleared_ms),
                printable(a.severity, 12), printable(a.text, 60)});
  }
  return text + "\n" + alerts.str();
}

int show(const Arguments& args) {
  const auto ids = ids_of(args);
  need_ids(ids, 1, 1, "show");
  const CallSummary summary = summarize(open_to_read(args).get(ids[0]));
  print(args.has("json") ? json_text(to_json(summary)) : summary_text(summary));
  return 0;
}

std::string exported(const CallRecord& call, const std::string& format) {
  if (format == "csv") return events_csv(call);
  const CallSummary summary = summarize(call);
  if (format == "html") return call_report_html(call, summary);
  Json events = Json::array();
  for (const std::string& line : call.lines) {
    try {
      events.push_back(parse_json(line, call.id));
    } catch (const Error&) {  // a torn last line, or summarize() had refused
    }
  }
  Json json{{"call", Json{{"id", call.id},
                          {"title", call.title},
                          {"started_at", call.started_at},
                          {"source", call.source},
                          {"model", call.model},
                          {"consent", call.consent},
                          {"state", state_of(call)}}}};
  json["summary"] = to_json(summary);
  if (!call.truth.is_null()) json["truth"] = call.truth;
  json["events"] = events;
  return json_text(json);
}

int export_calls(const Arguments& args) {
  auto ids = ids_of(args);
  if (!args.has("all")) need_ids(ids, 1, std::numeric_limits<std::size_t>::max(), "export");
  if (args.has("all") && !ids.empty()) throw Error(ErrorCode::usage, "--all", "and ids exclude each other");
  const std::string format = args.get<std::string>("format");
  if (format != "json" && format != "csv" && format != "html") {
    throw Error(ErrorCode::usage, "--format", "no such format")
        .expected("json, csv or html")
        .got(printable(format, 40));
  }
  if (!args.has("out"))
    throw Error(ErrorCode::usage, "serene calls export", "needs --out FILE, or FOLDER for several calls");
  const std::string out = args.get<std::string>("out");
  History history = open_to_write(args);
  if (args.has("all")) {
    for (const HistoryEntry& e : history.list(filter_of(args))) ids.push_back(e.header.id);
    std::sort(ids.begin(), ids.end());
  }
  const bool into_folder = args.has("all") || ids.size() > 1 || is_folder(out);
  std::vector<std::string> done;
  bool failed = false;
  for (const std::string& id : ids) {
    try {
      if (!is_call_id(id)) throw Error(ErrorCode::input, printable(id, 64), "not the id of a call");
      const std::string text = exported(history.get(id), format);
      if (into_folder && done.empty()) make_folder(out);
      write_file_atomic(into_folder ? (fs::path(out) / (id + "." + format)).string() : out, text);
      done.push_back(id);
    } catch (const Error& e) {
      if (ids.size() == 1) throw;
      remark(std::string("serene: ") + e.what());
      failed = true;
    }
  }
  if (!done.empty()) history.note_export(done, format);
  remark(std::to_string(done.size()) + (done.size() == 1 ? " call" : " calls") + " written to " + printable(out, 500));
  return failed ? 2 : 0;
}

int purge(const Arguments& args) {
  const auto ids = ids_of(args);
  if ((ids.empty() ? 0 : 1) + args.has("older-than") + args.has("all") != 1) {
    throw Error(ErrorCode::usage, "serene calls purge", "needs either ids, --older-than DAYS or --all --yes");
  }
  if (args.has("all") && !args.has("yes")) {
    throw Error(ErrorCode::usage, "--all", "erases every call for good").hint("add --yes");
  }
  int days = 0;
  if (args.has("older-than")) {
    days = args.get<int>("older-than");
    if (days < 0 || days > 36500) throw Error(ErrorCode::usage, "--older-than", "out of range").expected("0..36500");
  }
  History history = open_to_write(args);
  const std::int64_t erased = args.has("all")          ? history.purge_all()
                              : args.has("older-than") ? history.purge_older_than(days)
                                                       : history.purge(ids);
  print(std::to_string(erased) + (erased == 1 ? " call" : " calls") + " erased\n");
  return 0;
}

int summary(const Arguments& args) {
  need_ids(ids_of(args), 0, 0, "summary");
  const History history = open_to_read(args);
  std::vector<CallSummary> calls;
  bool failed = false;
  for (const HistoryEntry& e : history.list(filter_of(args))) {
    try {
      unix_seconds(e.header.started_at, "call " + printable(e.header.id, 64));
      calls.push_back(summarize(history.get(e.header.id)));
    } catch (const Error& error) {  // the others still count
      remark(std::string("serene: ") + error.what());
      failed = true;
    }
  }
  const CallsOverview overview = overview_of(calls, args.has("utc"));
  if (args.has("html")) {
    const std::string range = calls.empty() ? "no calls" : overview.first + " to " + overview.last;
    write_file_atomic(args.get<std::string>("html"), overview_html(overview, range));
    remark("written: " + printable(args.get<std::string>("html"), 500));
  }
  print(args.has("json") ? json_text(to_json(overview)) : overview_text(overview));
  return failed ? 2 : 0;
}

int audit(const Arguments& args) {
  need_ids(ids_of(args), 0, 0, "audit");
  Json items = Json::array();
  TextTable table({"at (UTC)", "action", "calls"});
  for (const AuditEntry& e : open_to_read(args).audit()) {
    items.push_back(Json{{"at", e.at}, {"action", e.action}, {"calls", e.calls}, {"id_sha256", e.id_hashes}});
    table.row({e.at, printable(e.action, 60), std::to_string(e.calls)});
  }
  if (args.has("json")) {
    print(json_text(items));
  } else {
    print(items.empty() ? "Nothing was exported or erased.\n" : table.str());
  }
  return 0;
}

void add_options(Arguments& args) {
  const auto text = [] { return cxxopts::value<std::string>(); };
  args.add()("history", "The file that holds the calls; default $SERENE_HISTORY or ~/.local/share/serene/calls.sqlite",
             text(), "FILE")("json", "JSON instead of tables");
  args.add("Which calls (list, summary, export --all)")("since", "Started on or after this day or moment (UTC)", text(),
                                                        "DATE")("until", "Started on or before it", text(), "DATE")(
      "limit", "At most so many, newest first", cxxopts::value<std::int64_t>(), "N");
  args.add("export, purge")("all", "Every call")("format", "json, csv or html",
                                                 cxxopts::value<std::string>()->default_value("json"),
                                                 "NAME")("out", "File, or folder for several calls", text(), "PATH")(
      "older-than",
      "Purge calls that started more than so many days ago (serene call does so by itself after its --keep-days, 30)",
      cxxopts::value<int>(), "DAYS")("yes", "Purge without asking again");
  args.add("summary")("html", "Write a page as well", text(), "FILE")("utc",
                                                                      "Hours and weekdays in UTC, not in local time");
  args.example("serene calls list --since 2026-11-01");
  args.example("serene calls show ID");
  args.example("serene calls export ID --format html --out report.html");
  args.example("serene calls summary --html calls.html");
  args.example("serene calls purge --older-than 30");
}

}  // namespace

int calls_command(int argc, char** argv) {
  Arguments args("calls", "The calls that were kept (events, no sound): list, show, export, purge, summary, audit.",
                 "list|show|export|purge|summary|audit [ID...]");
  add_options(args);
  if (!args.parse(argc, argv)) return 0;
  const auto words = args.positional();
  const std::string action = words.empty() ? "" : words[0];
  if (action == "list") return list(args);
  if (action == "show") return show(args);
  if (action == "export") return export_calls(args);
  if (action == "purge") return purge(args);
  if (action == "summary") return summary(args);
  if (action == "audit") return audit(args);
  throw Error(ErrorCode::usage, "serene calls",
              action.empty() ? "needs an action" : "no action '" + printable(action, 40) + "'")
      .expected(kActions);
}

}  // namespace serene::cli

#endif
