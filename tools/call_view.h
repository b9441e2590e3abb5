// How calls look on a terminal: events as JSON, plain lines, or a panel that is redrawn in place.
//
// One view shows all calls of the program; its functions are thread-safe. When stdout fails (closed pipe, full disk)
// the view goes quiet, remembers why and calls on_failure.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "call_screen.h"

namespace serene::cli {

enum class ViewKind { json, lines, panel };

struct ViewOptions {
  ViewKind kind = ViewKind::lines;
  bool colour = false;
  bool utf8 = true;
  bool several = false;  // more than one call: lines name theirs
  std::string notice;    // shown on lines and panel
  std::function<void()> on_failure;
};

// Looks at stdout and the environment: a panel on a terminal that can move its cursor, else lines; NO_COLOR, TERM=dumb
// and the character set are respected.
ViewOptions usual_view(bool headless);

class CallView {
 public:
  explicit CallView(ViewOptions options) : options_(std::move(options)) {}
  virtual ~CallView() = default;

  // Returns the number by which the call is named from then on.
  std::size_t open(const CallHeader& header);
  void event(std::size_t call, const Json& event, const std::string& line);
  void tick(std::size_t call, std::int64_t t_ms);
  void status(std::size_t call, const LatencyFigures& latency);
  void remark(const std::string& line);  // one line on stderr, beside the panel
  void finish();                         // no event comes any more; the terminal is as it was
  // Why stdout failed; "" when it did not.
  std::string failure() const;

 protected:
  // Called with the lock held.
  virtual void show(std::size_t call, const Json& event, const std::string& line) = 0;
  virtual void draw(bool /*at_once*/) {}
  virtual void leave() {}  // makes way for a line on stderr
  void write(const std::string& text);

  const ViewOptions options_;
  std::vector<CallScreen> calls_;

 private:
  mutable std::mutex mutex_;
  std::string failure_;
};

std::unique_ptr<CallView> make_view(ViewOptions options);
std::unique_ptr<CallView> make_panel(ViewOptions options);  // call_panel.cpp

}  // namespace serene::cli
