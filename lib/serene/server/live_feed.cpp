#include "serene/server/live_feed.h"

#include <utility>

#include "serene/core/error.h"

namespace serene {

LiveFeed::LiveFeed(const Hub& hub, std::int64_t after, std::string call, const std::string& boot)
    : hub_(hub),
      call_(std::move(call)),
      cursor_(after),
      restart_(after > hub.last() || (!boot.empty() && boot != hub.boot())) {
  if (restart_) cursor_ = 0;
}

std::string LiveFeed::next(bool with_status) {
  std::string frame;
  const auto add = [&frame](std::string_view text) {
    frame += frame.empty() ? '[' : ',';
    frame += text;
  };
  if (std::exchange(restart_, false)) add("{\"restart\":true}");
  // A few statuses must find room beside the lines.
  for (const LogLine& line : hub_.lines_after(cursor_, call_, max_live_message_bytes - 32)) {
    add(*line.text);
    cursor_ = line.n;
  }
  if (with_status) {
    const std::int64_t before = status_revision_;
    for (const std::string& status : hub_.statuses_after(status_revision_, call_)) {
      if (frame.size() + status.size() + 2 > max_live_message_bytes) {
        status_revision_ = before;  // again with the next frame
        break;
      }
      add(status);
    }
  }
  if (!frame.empty()) frame += ']';
  return frame;
}

ViewerCommand parse_viewer_command(std::string_view text) {
  const Json json = parse_json(text, "message");
  JsonReader reader(json, "");
  ViewerCommand result;
  const std::string type = reader.choice("type", {"acknowledge", "consent"}, "");
  result.call = reader.text("call");
  if (type == "acknowledge") {
    result.command.kind = Command::Kind::acknowledge;
    result.command.alert = reader.integer_in("alert", 0, std::int64_t{1} << 53);
  } else if (type == "consent") {
    result.command.kind = Command::Kind::consent;
    result.command.given = reader.boolean("given");
  } else {
    throw Error(ErrorCode::input, "message", "type is missing");
  }
  reader.finish();
  return result;
}

}  // namespace serene
