// What one viewer of the dashboard receives and may say: JSON text frames over its WebSocket.
//
//   server -> viewer: arrays of {"n":123,"call":"id","event":{...}}, {"n":..,"call":"id","opened":{...}},
//                     {"n":..,"call":"id","closed":true}, {"n":..,"call":"id","full":true} (no more events are kept),
//                     {"call":"id","status":{"t_ms":..,"latency_ms":{"last":..,"median":..,"p99":..}}} and, first of
//                     all when the viewer's numbers are those of an earlier process, {"restart":true}. An empty array
//                     now and then when there is nothing to tell.
//   viewer -> server: {"type":"acknowledge","call":"id","alert":3} | {"type":"consent","call":"id","given":true}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "serene/server/hub.h"

namespace serene {

// The largest message to a viewer, and from one.
inline constexpr std::size_t max_live_message_bytes = 256 * 1024;
inline constexpr std::size_t max_viewer_message_bytes = 4 * 1024;

// A cursor into the hub's log. Belongs to one thread; the hub must outlive it.
class LiveFeed {
 public:
  // after: the largest number the viewer has seen, 0 for none. call: "" for all. boot: the hub's name as the viewer
  // knows it, "" when it does not. Numbers of another process (after beyond the log's end, or another boot) start the
  // viewer anew at 0.
  LiveFeed(const Hub& hub, std::int64_t after, std::string call, const std::string& boot);

  // The next frame, at most max_live_message_bytes; "" when there is nothing new. Statuses come only when asked for.
  std::string next(bool with_status);
  std::int64_t cursor() const noexcept { return cursor_; }

 private:
  const Hub& hub_;
  std::string call_;
  std::int64_t cursor_;
  std::int64_t status_revision_ = 0;
  bool restart_;
};

struct ViewerCommand {
  std::string call;
  Command command;
};

// Throws Error for anything but the two messages above.
ViewerCommand parse_viewer_command(std::string_view text);

}  // namespace serene
