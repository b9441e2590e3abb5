// The panel: the calls on a terminal, redrawn in place at most ten times a second.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <mutex>

#include "call_view.h"
#include "serene/core/utf8.h"
#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kHideCursor = "\033[?25l";
constexpr const char* kShowCursor = "\033[?25h";
constexpr const char* kReset = "\033[0m";
constexpr int kLabel = 10;  // columns of the names on the left

// The cursor comes back on every way out, also through std::exit.
bool cursor_hidden = false;
void show_cursor() {
  if (!cursor_hidden) return;
  cursor_hidden = false;
  const ssize_t written = ::write(STDOUT_FILENO, kShowCursor, 6);
  static_cast<void>(written);
}

struct Size {
  int columns = 80, rows = 24;
};

Size terminal_size() {
  winsize size{};
  Size s;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    s.columns = std::clamp<int>(size.ws_col, 10, 400);
    s.rows = std::clamp<int>(size.ws_row, 3, 400);
  }
  return s;
}

// A line of text of a known width, with colour codes that take no room.
class Line {
 public:
  Line(int columns, bool colour) : columns_(columns), colour_(colour) {}

  Line& text(const std::string& t, const char* colour = "") {
    std::string shown;
    for (std::size_t i = 0; i < t.size() && used_ < columns_;) {
      const std::size_t length = std::max<std::size_t>(1, utf8_length(t, i));
      shown.append(t, i, length);
      i += length;
      ++used_;
    }
    const bool painted = colour_ && *colour != '\0' && !shown.empty();
    text_ += painted ? colour + shown + kReset : shown;
    return *this;
  }
  Line& to(int column) { return text(std::string(static_cast<std::size_t>(std::max(0, column - used_)), ' ')); }
  int left() const { return columns_ - used_; }
  const std::string& str() const { return text_; }

 private:
  int columns_, used_ = 0;
  bool colour_;
  std::string text_;
};

const char* colour_of(double negative) {
  return negative >= 0.6 ? "\033[1;31m" : negative >= 0.25 ? "\033[33m" : "\033[32m";
}

class PanelView : public CallView {
 public:
  explicit PanelView(ViewOptions options) : CallView(std::move(options)) {
    static std::once_flag once;
    std::call_once(once, [] { std::atexit(show_cursor); });
  }
  ~PanelView() override { show_cursor(); }

 protected:
  void show(std::size_t, const Json&, const std::string&) override {}

  void draw(bool at_once) override {
    const auto now = Clock::now();
    if (!at_once && now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    size_ = terminal_size();
    std::vector<std::string> lines = calls_.size() == 1 ? whole(calls_[0]) : table();
    if (static_cast<int>(lines.size()) >= size_.rows) lines.resize(static_cast<std::size_t>(size_.rows) - 1);
    std::string frame = kHideCursor;
    cursor_hidden = true;
    if (height_ > 0 && size_.columns != columns_) {
      frame += "\033[2J\033[H";  // old lines have wrapped: nobody knows where they are
    } else if (height_ > 0) {
      frame += "\033[" + std::to_string(height_) + "A\r";
    }
    for (const std::string& line : lines) frame += line + "\033[K\n";
    frame += "\033[J";
    height_ = static_cast<int>(lines.size());
    columns_ = size_.columns;
    write(frame);
  }

  void leave() override {
    height_ = 0;  // what stands there stays; the next frame is drawn below
    show_cursor();
  }

 private:
  Line line() const { return Line(size_.columns, options_.colour); }
  Line named(const char* label) const { return std::move(line().text(pad_right(label, kLabel))); }

  // A bar of `width` columns, filled by `share`.
  std::string bar(double share, int width) const {
    const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * 8 * width));
    static constexpr const char* kPart[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    std::string text;
    for (int i = 0; i < eighths / 8; ++i) text += options_.utf8 ? "█" : "#";
    int used = eighths / 8;
    if (eighths % 8 != 0 && options_.utf8) {
      text += kPart[eighths % 8];
      ++used;
    }
    for (; used < width; ++used) text += options_.utf8 ? "░" : ".";
    return text;
  }

  std::string spark(const std::deque<double>& values, int width) const {
    static constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static constexpr char kPlain[] = "_.-=+*%#";
    std::string text;
    const std::size_t count = std::min(values.size(), static_cast<std::size_t>(std::max(0, width)));
    for (std::size_t i = values.size() - count; i < values.size(); ++i) {
      const auto level = static_cast<std::size_t>(std::clamp(values[i] * 8, 0.0, 7.0));
      options_.utf8 ? text += kBlocks[level] : text += kPlain[level];
    }
    return text;
  }

  std::string lane(const SpeechLane& lane, std::int64_t now_ms, int width) const {
    constexpr std::int64_t kSpanMs = 60'000;
    std::string text;
    for (int i = 0; i < width; ++i) {
      const std::int64_t from = now_ms - kSpanMs + kSpanMs * i / width,
                         to = now_ms - kSpanMs + kSpanMs * (i + 1) / width;
      const double share = lane.share(from, to, now_ms);
      const bool there = to > 0;
      if (options_.utf8) {
        text += share > 0.5 ? "█" : share > 0 ? "▄" : there ? "·" : " ";
      } else {
        text += share > 0 ? "#" : there ? "." : " ";
      }
    }
    return text;
  }

  double weight(const CallScreen& call, const std::string& state) const {
    const auto at = call.negative.find(state);
    return at == call.negative.end() ? 0 : at->second;
  }

  Line state_line(const CallScreen& call) const {
    Line l = named("state");
    if (!call.consent) return std::move(l.text("not recognised: the customer has not agreed"));
    const bool known = call.state != "no_speech";
    l.text(std::string(state_icon(call.state, options_.utf8)) + " " + pad_right(call.state, 10),
           colour_of(weight(call, call.state)));
    if (known) {
      const std::string percent_text = pad_left(fixed(100 * call.confidence, 0), 3) + " %";
      l.text(" [" + bar(call.confidence, 20) + "] " + percent_text);
      if (call.state == "uncertain" && !call.top.empty()) l.text("  best: " + call.top);
      l.text("  " + std::string(call.direction == "rising" ? "rising" : call.direction == "falling" ? "easing" : ""));
    }
    return l;
  }

  void probabilities(const CallScreen& call, std::vector<std::string>& lines) const {
    constexpr int kCell = 26;
    const int per_line = std::max(1, (size_.columns - kLabel) / kCell);
    for (std::size_t i = 0; i < std::max<std::size_t>(1, call.probabilities.size());) {
      Line l = named(i == 0 ? "feelings" : "");
      for (int k = 0; k < per_line && i < call.probabilities.size(); ++k, ++i) {
        const auto& [state, p] = call.probabilities[i];
        l.text(pad_right(printable(state, 9), 10) + bar(p, 8) + pad_left(fixed(100 * p, 0), 4) + " %  ");
      }
      lines.push_back(l.str());
      if (call.probabilities.empty()) break;
    }
  }

  // What matters most stands above: a low window cuts the rest off.
  std::vector<std::string> whole(const CallScreen& call) const {
    std::vector<std::string> lines;
    const int room = std::max(4, std::min(size_.columns - kLabel - 2, 60));
    lines.push_back(line()
                        .text(printable(call.header.title, 200), "\033[1m")
                        .text("   " + clock_text(call.t_ms) + "  ")
                        .text(call.ended ? "over: " + call.ending : "live")
                        .str());
    lines.push_back(line().text(options_.notice, "\033[2m").str());
    lines.push_back(state_line(call).str());
    lines.push_back(named("advice").text(call.advice.empty() ? "-" : call.advice, "\033[1m").str());
    lines.push_back(named("").text(call.advice_reason.empty() ? "" : "because " + call.advice_reason).str());
    alerts(call, lines);
    lines.push_back(named("customer").text(lane(call.lanes[0], call.t_ms, room)).str());
    lines.push_back(named("agent").text(call.agent_leg ? lane(call.lanes[1], call.t_ms, room) : "(no leg)").str());
    lines.push_back(named("trend").text(spark(call.trend, room)).str());
    probabilities(call, lines);
    Line last = named("sound");
    for (int leg = 0; leg < leg_count; ++leg) {
      if (leg == 1 && !call.agent_leg) continue;
      last.text(std::string(leg == 0 ? "customer " : "  agent ") +
                (call.quality[leg].empty() ? "-" : call.quality[leg]));
    }
    if (call.latency.windows > 0) {
      last.text("     latency " + fixed(call.latency.last, 1) + " ms (median " + fixed(call.latency.median, 1) +
                ", p99 " + fixed(call.latency.p99, 1) + ")");
    }
    lines.push_back(last.str());
    return lines;
  }

  // The newest two that are not cleared; the place is kept when there are none, so that nothing jumps.
  void alerts(const CallScreen& call, std::vector<std::string>& lines) const {
    constexpr std::size_t kShown = 2;
    const std::size_t count = std::min(kShown, call.alerts.size());
    for (std::size_t i = 0; i < kShown; ++i) {
      Line l = named(i == 0 ? "alerts" : "");
      if (i < count) {
        const ShownAlert& a = call.alerts[call.alerts.size() - 1 - i];
        l.text((options_.utf8 ? "⚠ " : "! ") + a.severity + " ", a.severity == "critical" ? "\033[1;31m" : "\033[33m");
        l.text("#" + std::to_string(a.number) + " " + clock_text(a.t_ms) + "  " + a.text + "  (" + a.reason + ")" +
               (a.action == "raised" ? "" : "  " + a.action));
      } else if (i == 0) {
        l.text("-");
      }
      lines.push_back(l.str());
    }
  }

  std::vector<std::string> table() const {
    std::vector<std::string> lines;
    lines.push_back(line().text(options_.notice, "\033[2m").str());
    std::vector<const CallScreen*> order;
    for (const CallScreen& call : calls_) order.push_back(&call);
    std::sort(order.begin(), order.end(),
              [](const CallScreen* a, const CallScreen* b) { return a->header.place < b->header.place; });
    for (const CallScreen* shown : order) {
      const CallScreen& call = *shown;
      Line l = line();
      l.text(pad_right(printable(call.header.title, 22), 26) + pad_left(clock_text(call.t_ms), 9) + "  ");
      l.text(std::string(state_icon(call.state, options_.utf8)) + " " + pad_right(call.state, 10),
             colour_of(weight(call, call.state)));
      l.text(pad_left(fixed(100 * call.confidence, 0), 3) + " %  ");
      const std::string trend = spark(call.trend, 16);
      l.text(trend).to(70);
      if (const ShownAlert* a = call.worst_alert()) l.text("  " + a->severity + ": " + a->text);
      if (call.ended) l.text("  over: " + call.ending);
      lines.push_back(l.str());
    }
    return lines;
  }

  Clock::time_point drawn_{};
  Size size_;
  int height_ = 0, columns_ = 0;
};

}  // namespace

std::unique_ptr<CallView> make_panel(ViewOptions options) { return std::make_unique<PanelView>(std::move(options)); }

}  // namespace serene::cli
