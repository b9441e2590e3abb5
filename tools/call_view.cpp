#include "call_view.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>

#include "command.h"
#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The first of the locale's variables that is set decides, as setlocale does.
bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = variable(name);
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

// One event, one line; several calls each name theirs.
class JsonView : public CallView {
 public:
  using CallView::CallView;

 protected:
  void show(std::size_t call, const Json&, const std::string& line) override {
    if (!options_.several) return write(line + "\n");
    write("{\"call\":" + Json(calls_[call].header.id).dump() + "," + line.substr(1) + "\n");
  }
};

std::string seconds(std::int64_t ms) { return fixed(static_cast<double>(ms) / 1000, 1) + " s"; }

std::string percent_text(double share) { return fixed(100 * share, 0) + " %"; }

// The plain lines: one for each thing worth a word, in columns of time, who, what.
class LineView : public CallView {
 public:
  using CallView::CallView;

 protected:
  void show(std::size_t call, const Json& event, const std::string&) override {
    std::string who;
    const std::string what = words(call, event, who);
    if (what.empty()) return;
    const CallHeader& header = calls_[call].header;
    const std::string name = options_.several ? pad_right(printable(header.id, 24), 24) + "  " : "";
    write(name + clock_text(integer_in(event, "t_ms")) + "  " + pad_right(who, 8) + "  " + what + "\n");
  }

 private:
  std::string words(std::size_t call, const Json& event, std::string& who) {
    const CallScreen& screen = calls_[call];
    const std::string type = text_in(event, "type"), action = text_in(event, "action"), leg = text_in(event, "leg");
    who = leg.empty() ? "customer" : leg;
    if (type == "call") return who = "call", of_call(screen, event, action);
    if (type == "speech") return of_speech(call, event, action, leg);
    if (type == "alert" || type == "advice") return who = type, of_rule(event, type, action);
    if (type == "state") {
      return pad_right(screen.state, 9) + " " + pad_left(percent_text(screen.confidence), 5) + "  " + screen.direction +
             "  (was " + text_in(event, "previous", 24) + ")";
    }
    if (type == "trend") {
      return "trend " + text_in(event, "direction") + ", " + fixed(number_in(event, "slope_per_min"), 2) +
             " per minute";
    }
    if (type == "quality") return of_quality(call, event, leg);
    if (type == "silence" && action == "start") return who = "both", "silent";
    if (type == "overlap" && action == "stop")
      return who = "both", "spoke at once for " + seconds(integer_in(event, "duration_ms"));
    if (type == "consent") return "consent " + action;
    return "";
  }

  std::string of_call(const CallScreen& screen, const Json& event, const std::string& action) {
    if (action == "start") {
      const std::string notice = options_.notice.empty() ? "" : "  " + options_.notice;
      return printable(screen.header.title, 80) + "  (model " + printable(screen.header.model, 60) + ")" + notice;
    }
    return screen.ending + "; customer spoke " + seconds(integer_in(event, "customer_speech_ms")) +
           (screen.agent_leg ? ", agent " + seconds(integer_in(event, "agent_speech_ms")) : "");
  }

  // One line for each turn, when it is over.
  std::string of_speech(std::size_t call, const Json& event, const std::string& action, const std::string& leg) {
    std::int64_t& since = speaking_since_[{call, leg}];
    if (action == "start") {
      since = integer_in(event, "at_ms");
      return "";
    }
    return "spoke " + seconds(integer_in(event, "at_ms") - since);
  }

  static std::string of_rule(const Json& event, const std::string& type, const std::string& action) {
    if (type == "advice") {
      if (action != "shown") return "";
      return text_in(event, "text") + "  (" + text_in(event, "reason") + ")";
    }
    const std::string number = "#" + std::to_string(integer_in(event, "alert"));
    if (action == "cleared" || action == "acknowledged") return action + " " + number + "  " + text_in(event, "text");
    return action + " " + number + "  " + text_in(event, "severity") + ": " + text_in(event, "text") + "  (" +
           text_in(event, "reason") + ")";
  }

  std::string of_quality(std::size_t call, const Json& event, const std::string& leg) {
    std::string& lamp = lamps_[{call, leg}];
    const std::string now = text_in(event, "lamp", 16);
    const bool worth = lamp.empty() ? now != "good" : now != lamp;
    lamp = now;
    if (!worth) return "";
    return "sound " + now + "  level " + fixed(number_in(event, "level_dbfs"), 0) + " dBFS, loss " +
           percent_text(number_in(event, "loss")) + ", clipping " + percent_text(number_in(event, "clipping"));
  }

  std::map<std::pair<std::size_t, std::string>, std::int64_t> speaking_since_;
  std::map<std::pair<std::size_t, std::string>, std::string> lamps_;
};

}  // namespace

ViewOptions usual_view(bool headless) {
  ViewOptions options;
  options.utf8 = utf8_locale();
  if (headless) {
    options.kind = ViewKind::json;
    return options;
  }
  const std::string terminal = variable("TERM");
  const bool able = isatty(STDOUT_FILENO) == 1 && !terminal.empty() && terminal != "dumb";
  options.kind = able ? ViewKind::panel : ViewKind::lines;
  options.colour = able && variable("NO_COLOR").empty();
  return options;
}

std::size_t CallView::open(const CallHeader& header) {
  const std::lock_guard lock(mutex_);
  calls_.emplace_back();
  calls_.back().header = header;
  return calls_.size() - 1;
}

void CallView::event(std::size_t call, const Json& event, const std::string& line) {
  const std::lock_guard lock(mutex_);
  calls_[call].event(event);
  show(call, event, line);
  draw(false);
}

void CallView::tick(std::size_t call, std::int64_t t_ms) {
  const std::lock_guard lock(mutex_);
  calls_[call].t_ms = std::max(calls_[call].t_ms, t_ms);
  draw(false);
}

void CallView::status(std::size_t call, const LatencyFigures& latency) {
  const std::lock_guard lock(mutex_);
  calls_[call].latency = latency;
}

void CallView::remark(const std::string& line) {
  const std::lock_guard lock(mutex_);
  leave();
  cli::remark(line);
}

void CallView::finish() {
  const std::lock_guard lock(mutex_);
  draw(true);
  leave();
}

std::string CallView::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void CallView::write(const std::string& text) {
  if (!failure_.empty()) return;
  try {
    print(text);
  } catch (const Error& e) {
    failure_ = e.what();
    if (options_.on_failure) options_.on_failure();
  }
}

std::unique_ptr<CallView> make_view(ViewOptions options) {
  if (options.kind == ViewKind::json) return std::make_unique<JsonView>(std::move(options));
  if (options.kind == ViewKind::lines) return std::make_unique<LineView>(std::move(options));
  return make_panel(std::move(options));
}

}  // namespace serene::cli
