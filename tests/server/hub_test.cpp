// The hub and the viewer's cursor, without sockets.
#include "serene/server/hub.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "serene/core/random.h"
#include "serene/server/live_feed.h"
#include "server_fixture.h"

using namespace serene;
using serene::test::error_of;
using serene::test::event;
using serene::test::info;

namespace {

std::vector<std::int64_t> numbers_of(const std::string& frame) {
  std::vector<std::int64_t> list;
  if (frame.empty()) return list;
  for (const Json& entry : Json::parse(frame)) {
    if (entry.contains("n")) list.push_back(entry["n"].get<std::int64_t>());
  }
  return list;
}

}  // namespace

TEST_CASE("hub: lines are numbered over all calls and say what they are") {
  Hub hub;
  hub.open(info("a"));
  hub.open(info("b"));
  CHECK(hub.publish("a", event(0)));
  CHECK(hub.publish("b", event(0)));
  hub.close("a");
  CHECK_FALSE(hub.publish("a", event(1)));
  CHECK_FALSE(hub.publish("nobody", event(1)));
  const auto lines = hub.lines_after(0, "", 1 << 20);
  REQUIRE(lines.size() == 5);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(Json::parse(*lines[i].text)["n"] == static_cast<int>(i) + 1);
  }
  CHECK(Json::parse(*lines[0].text)["opened"]["title"] == "title of a");
  CHECK(lines[0].event().empty());
  CHECK(lines[2].event() == event(0));
  CHECK(*lines[3].text == "{\"n\":4,\"call\":\"b\",\"event\":{\"seq\":0}}");
  CHECK(*lines[4].text == "{\"n\":5,\"call\":\"a\",\"closed\":true}");
  CHECK(hub.last() == 5);
  CHECK(hub.lines_after(2, "b", 1 << 20).size() == 1);
  CHECK(hub.lines_after(5, "", 1 << 20).empty());
  const auto calls = hub.calls();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].ended);
  CHECK_FALSE(calls[1].ended);
  REQUIRE(hub.log_of("a"));
  CHECK(hub.log_of("a")->lines.size() == 1);
  CHECK(hub.log_of("a")->n == 5);
  CHECK_FALSE(hub.log_of("nobody"));
}

TEST_CASE("hub: names of calls and lines that are not events are refused") {
  Hub hub;
  const std::vector<std::string> bad_ids = {"", "a/b", "..", "ä", "a b", "\"", std::string(65, 'a')};
  for (const std::string& bad : bad_ids) {
    CHECK(error_of([&] { hub.open(info(bad)); }).find("not a name") != std::string::npos);
  }
  hub.open(info("a"));
  CHECK(error_of([&] { hub.open(info("a")); }) == "call a: there already");
  CHECK(error_of([&] { hub.add_document("a", "../x", "text/plain", ""); }).find("not a name") != std::string::npos);
  CHECK_FALSE(hub.publish("a", ""));
  CHECK_FALSE(hub.publish("a", "[1]"));
  CHECK_FALSE(hub.publish("a", "{" + std::string(64 * 1024, ' ') + "}"));
  CallInfo broken = info("b");
  broken.title = "\xff\xfe\"<script>";
  hub.open(broken);  // still JSON
  CHECK(Json::parse(*hub.lines_after(1, "", 1000)[0].text)["call"] == "b");
}

TEST_CASE("hub: a call that is full says so once, and old calls are forgotten whole") {
  Hub hub({.events_per_call = 3, .closed_calls = 2});
  for (const std::string id : {"a", "b", "c", "d"}) {
    hub.open(info(id));
    for (int i = 0; i < 6; ++i) CHECK(hub.publish(id, event(i)) == (i < 3));
    hub.close(id);
  }
  CHECK(hub.calls().size() == 2);
  CHECK_FALSE(hub.log_of("b"));
  const auto lines = hub.lines_after(0, "", 1 << 20);
  REQUIRE(lines.size() == 12);  // opened, 3 events, full, closed; of c and d
  CHECK(lines.front().n == 13);
  CHECK(lines[4].text->find("\"full\":true") != std::string::npos);
  hub.open(info("a"));
  CHECK(hub.last() == 25);
}

TEST_CASE("hub: commands wait for the player, in order and not without end") {
  Hub hub({.waiting_commands = 2});
  hub.open(info("a"));
  CHECK(hub.command("a", {Command::Kind::acknowledge, 7, false}));
  CHECK(hub.command("a", {Command::Kind::consent, 0, true}));
  CHECK_FALSE(hub.command("a", {}));
  CHECK_FALSE(hub.command("b", {}));
  const auto taken = hub.take_commands("a");
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].alert == 7);
  CHECK(taken[1].kind == Command::Kind::consent);
  CHECK(taken[1].given);
  CHECK(hub.take_commands("a").empty());
  hub.close("a");
  CHECK_FALSE(hub.command("a", {}));
}

TEST_CASE("feed: viewers that come, go and come again at random moments miss nothing and see nothing twice") {
  Hub hub;
  for (const char* id : {"a", "b", "c"}) hub.open(info(id));
  std::atomic<bool> done{false};
  std::vector<std::thread> players;
  for (const std::string id : {"a", "b", "c"}) {
    players.emplace_back([&hub, id] {
      for (int i = 0; i < 5000; ++i) hub.publish(id, event(i));
    });
  }
  std::thread end([&] {
    for (std::thread& player : players) player.join();
    done = true;
  });
  Random random(5, Purpose::test);
  for (const std::string call : {"", "b"}) {
    std::vector<std::int64_t> seen;
    std::int64_t after = 0;
    for (bool last_round = false; !last_round;) {
      last_round = done;
      LiveFeed feed(hub, after, call, hub.boot());
      const int frames = last_round ? 1000 : static_cast<int>(random.below(4));
      for (int i = 0; i < frames; ++i) {
        const std::string frame = feed.next(random.below(2) == 0);
        CHECK(frame.size() <= max_live_message_bytes);
        CHECK(frame.find("restart") == std::string::npos);
        for (const std::int64_t n : numbers_of(frame)) seen.push_back(n);
        if (!seen.empty()) after = seen.back();
      }
      CHECK(feed.cursor() == after);
    }
    CHECK(seen.size() == (call.empty() ? 15003u : 5001u));
    bool rising = true;
    for (std::size_t i = 1; i < seen.size(); ++i) rising = rising && seen[i] > seen[i - 1];
    CHECK(rising);
  }
  end.join();
}

TEST_CASE("feed: numbers of an earlier process start the viewer anew") {
  Hub hub;
  hub.open(info("a"));
  hub.publish("a", event(0));
  LiveFeed same(hub, 2, "", hub.boot());
  CHECK(same.next(false).empty());
  LiveFeed beyond(hub, 3, "", "");
  CHECK(beyond.next(false).substr(0, 18) == "[{\"restart\":true},");
  CHECK(beyond.cursor() == 2);
  CHECK(beyond.next(false).empty());
  LiveFeed other(hub, 1, "", "another");
  CHECK(numbers_of(other.next(false)) == std::vector<std::int64_t>{1, 2});
  Hub empty;
  LiveFeed nothing(empty, 9, "", "");
  CHECK(nothing.next(false) == "[{\"restart\":true}]");
}

TEST_CASE("feed: the latest status comes once, for the calls looked at") {
  Hub hub;
  hub.open(info("a"));
  hub.open(info("b"));
  hub.status("a", 100, 1, 2, 3);
  hub.status("a", 1500, 1.5, 2.25, std::numeric_limits<double>::quiet_NaN());
  hub.status("b", 10, 0, 0, 0);
  LiveFeed feed(hub, 2, "a", "");
  CHECK(feed.next(false).empty());
  CHECK(feed.next(true) ==
        "[{\"call\":\"a\",\"status\":{\"t_ms\":1500,\"latency_ms\":{\"last\":1.5,\"median\":2.25,\"p99\":0.0}}}]");
  CHECK(feed.next(true).empty());
  CHECK(hub.calls()[0].t_ms == 1500);
}

TEST_CASE("feed: what a viewer says is one of two messages, to the letter") {
  CHECK(parse_viewer_command(R"({"type":"acknowledge","call":"a","alert":3})").command.alert == 3);
  CHECK(parse_viewer_command(R"({"type":"consent","call":"a","given":true})").command.given);
  for (const char* bad :
       {"", "x", "[]", "{}", "null", R"({"type":"acknowledge","call":"a"})", R"({"type":"boo","call":"a"})",
        R"({"type":"acknowledge","call":"a","alert":-1})", R"({"type":"acknowledge","call":"a","alert":1.5})",
        R"({"type":"consent","call":"a","given":1})", R"({"type":"consent","call":"a","given":true,"x":1})",
        R"({"type":"consent","call":7,"given":true})", "{\"type\":\"consent\",\"call\":\"\xff\",\"given\":true}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}) {
    CHECK_FALSE(error_of([&] { parse_viewer_command(bad); }).empty());
  }
}
