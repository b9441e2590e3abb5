// The dashboard over real sockets: what is served, what is refused, and that no viewer can disturb another or a call.
#include "serene/server/dashboard_server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "serene/core/random.h"
#include "serene/server/live_feed.h"
#include "server_fixture.h"
#include "socket_client.h"

using namespace serene;
using namespace serene::test;
using std::chrono::milliseconds;

namespace {

DashboardOptions any_port() {
  DashboardOptions options;
  options.port = 0;
  return options;
}

// Waits, without an end in view of a working server, until a condition holds.
template <class F>
bool eventually(F&& holds) {
  for (int i = 0; i < 3000 && !holds(); ++i) std::this_thread::sleep_for(milliseconds(10));
  return holds();
}

SocketClient watch(int port, const std::string& query = "", int receive_buffer = 0) {
  SocketClient client(port, receive_buffer);
  REQUIRE(client.upgrade("/live" + query).status == 101);
  return client;
}

// Numbers of the lines up to the one numbered `last`.
std::vector<std::int64_t> numbers_until(SocketClient& viewer, std::int64_t last) {
  std::vector<std::int64_t> seen;
  while (seen.empty() || seen.back() < last) {
    for (const Json& entry : viewer.read_message()) {
      if (entry.contains("n")) seen.push_back(entry["n"].get<std::int64_t>());
    }
  }
  return seen;
}

bool is_every_number(const std::vector<std::int64_t>& seen, std::int64_t last) {
  if (static_cast<std::int64_t>(seen.size()) != last) return false;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] != static_cast<std::int64_t>(i) + 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("server: a viewer receives what is published, and commands reach the player") {
  Hub hub;
  DashboardServer server(hub, any_port());
  SocketClient viewer = watch(server.port());
  hub.open(info("a"));
  hub.publish("a", event(0));
  CHECK(is_every_number(numbers_until(viewer, 2), 2));
  hub.status("a", 1234, 1, 2, 3);
  CHECK(viewer.read_message()[0]["status"]["t_ms"] == 1234);
  viewer.send_frame(1, R"({"type":"acknowledge","call":"a","alert":3})");
  viewer.send_frame(1, R"({"type":"consent","call":"a","given":false})");
  std::vector<Command> commands;
  CHECK(eventually([&] {
    for (const Command& command : hub.take_commands("a")) commands.push_back(command);
    return commands.size() == 2;
  }));
  CHECK(commands[0].alert == 3);
  CHECK(commands[1].kind == Command::Kind::consent);
  viewer.send_frame(9, "are you there");
  CHECK(viewer.read_frame().payload == "are you there");
  server.stop();
  server.stop();
  CHECK_THROWS(viewer.read_message());
  CHECK(hub.publish("a", event(1)));
}

TEST_CASE("server: a viewer that breaks off at random moments picks up where it was") {
  Hub hub;
  DashboardServer server(hub, any_port());
  hub.open(info("a"));
  std::thread player([&] {
    for (int i = 1; i < 3000; ++i) {
      hub.publish("a", event(i));
      if (i % 50 == 0) std::this_thread::sleep_for(milliseconds(1));
    }
  });
  Random random(3, Purpose::test);
  std::vector<std::int64_t> seen;
  while (seen.empty() || seen.back() < 3000) {
    SocketClient viewer = watch(server.port(), "?after=" + std::to_string(seen.empty() ? 0 : seen.back()));
    for (std::uint64_t messages = random.below(4); messages > 0 && (seen.empty() || seen.back() < 3000); --messages) {
      for (const Json& entry : viewer.read_message()) {
        CHECK_FALSE(entry.contains("restart"));
        if (entry.contains("n")) seen.push_back(entry["n"].get<std::int64_t>());
      }
    }
    if (random.below(2) == 0) viewer.reset();
  }
  player.join();
  CHECK(is_every_number(seen, 3000));
  SocketClient lost = watch(server.port(), "?after=999999");
  const Json first = lost.read_message();
  CHECK(first[0]["restart"] == true);
  CHECK(first[1]["n"] == 1);
}

TEST_CASE("server: a viewer that hears nothing for long hears a heartbeat") {
  Hub hub;
  DashboardOptions options = any_port();
  options.status_every = options.heartbeat_every = milliseconds(20);
  DashboardServer server(hub, options);
  SocketClient viewer = watch(server.port());
  for (int i = 0; i < 3; ++i) CHECK(viewer.read_message() == Json::array());
  hub.open(info("a"));
  CHECK(is_every_number(numbers_until(viewer, 1), 1));
}

TEST_CASE("server: a viewer of one call sees that call alone") {
  Hub hub;
  DashboardServer server(hub, any_port());
  for (const char* id : {"a", "b"}) hub.open(info(id));
  for (int i = 0; i < 10; ++i) hub.publish(i % 2 == 0 ? "a" : "b", event(i));
  SocketClient viewer = watch(server.port(), "?after=2&call=b");
  CHECK(numbers_until(viewer, 12) == std::vector<std::int64_t>{4, 6, 8, 10, 12});
}

TEST_CASE("server: viewers that never read hold one message each and delay nobody") {
  Hub hub;
  DashboardServer server(hub, any_port());
  hub.open(info("a"));
  std::vector<SocketClient> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(watch(server.port(), "", 4096));
  SocketClient reader = watch(server.port());
  const std::string line = "{\"seq\":1,\"text\":\"" + std::string(200, 'x') + "\"}";
  std::vector<std::int64_t> seen;
  std::thread reading([&] {
    try {
      seen = numbers_until(reader, 100'001);
    } catch (const std::exception&) {
      seen.clear();
    }
  });
  bool published = true;
  for (int i = 0; i < 100'000; ++i) published = hub.publish("a", line) && published;
  reading.join();
  CHECK(published);
  CHECK(is_every_number(seen, 100'001));
  CHECK(fetch(server.port(), "/api/calls").status == 200);
}

TEST_CASE("server: viewers that do not answer are dropped in the end, one that does stays") {
  Hub hub;
  DashboardOptions options = any_port();
  options.idle_timeout = milliseconds(3000);
  DashboardServer server(hub, options);
  hub.open(info("a"));
  SocketClient quiet = watch(server.port()), full = watch(server.port(), "?after=1", 4096);
  const std::string line = "{\"text\":\"" + std::string(50'000, 'x') + "\"}";
  for (int i = 0; i < 200; ++i) hub.publish("a", line);
  SocketClient reader = watch(server.port(), "?after=" + std::to_string(hub.last()));
  CHECK(eventually([&] {
    hub.status("a", 1, 1, 1, 1);
    reader.read_message();
    return server.viewers() == 1;
  }));
}

TEST_CASE("server: one message is never longer than allowed") {
  Hub hub;
  DashboardServer server(hub, any_port());
  hub.open(info("a"));
  const std::string line = "{\"text\":\"" + std::string(30'000, 'x') + "\"}";
  for (int i = 0; i < 100; ++i) hub.publish("a", line);
  SocketClient viewer = watch(server.port());
  std::size_t longest = 0;
  for (std::int64_t last = 0; last < 101;) {
    const WebFrame frame = viewer.read_frame();
    longest = std::max(longest, frame.payload.size());
    last = Json::parse(frame.payload).back()["n"].get<std::int64_t>();
  }
  CHECK(longest <= max_live_message_bytes);
  CHECK(longest > 200'000);
}

TEST_CASE("server: what a viewer may not say ends its connection with a reason, and nobody else's") {
  Hub hub;
  DashboardServer server(hub, any_port());
  hub.open(info("a"));
  SocketClient witness = watch(server.port());
  const std::vector<std::pair<std::string, int>> bad = {
      {"hello", 1007},
      {"{}", 1007},
      {"\xff\xfe", 1007},
      {"{\"type\":\"acknowledge\",\"call\":\"a\",\"alert\":\"1\"}", 1007},
      {"{\"type\":\"" + std::string(5000, 'x') + "\"}", 1009}};
  for (const auto& [text, code] : bad) {
    SocketClient viewer = watch(server.port(), "?after=1");
    viewer.send_frame(1, text);
    CHECK(viewer.read_frame().close_code() == code);
  }
  {
    SocketClient binary = watch(server.port(), "?after=1");
    binary.send_frame(2, "{}");
    CHECK(binary.read_frame().close_code() == 1007);
    SocketClient garbage = watch(server.port(), "?after=1");
    garbage.send(std::string(64, '\xff'));
    CHECK(garbage.read_frame().close_code() == 1002);
    SocketClient polite = watch(server.port(), "?after=1");
    polite.send_frame(8, "");
    CHECK(polite.read_frame().opcode == 8);
    SocketClient rude = watch(server.port());
    rude.reset();
  }
  hub.publish("a", event(0));
  CHECK(is_every_number(numbers_until(witness, 2), 2));
  CHECK(eventually([&] {
    hub.publish("a", event(1));  // a reset is noticed with the next message at the latest
    return server.viewers() == 1;
  }));
  CHECK(hub.take_commands("a").empty());
}

TEST_CASE("server: too many viewers are refused") {
  Hub hub;
  DashboardOptions options = any_port();
  options.max_viewers = 2;
  DashboardServer server(hub, options);
  SocketClient one = watch(server.port()), two = watch(server.port());
  CHECK(SocketClient(server.port()).upgrade("/live").status == 503);
  one.reset();
  CHECK(eventually([&] { return SocketClient(server.port()).upgrade("/live").status == 101; }));
}

TEST_CASE("server: half-open and dripping connections are dropped while others are served") {
  Hub hub;
  DashboardOptions options = any_port();
  options.max_connections = 50;
  options.request_timeout = milliseconds(500);
  DashboardServer server(hub, options);
  std::vector<SocketClient> half_open;
  for (int i = 0; i < 300; ++i) {
    half_open.emplace_back(server.port());
    if (i % 3 == 1) half_open.back().send("GET / HTTP/1.1\r\nHost: ");
    if (i % 100 == 99) CHECK(fetch(server.port(), "/").status == 200);
  }
  CHECK(server.connections() <= 60);
  for (SocketClient& client : half_open) CHECK(client.closed_by_server());
  CHECK(eventually([&] { return server.connections() == 0; }));
  SocketClient dripping(server.port());
  bool refused = false;
  for (int i = 0; i < 3000 && !refused; ++i) {
    try {
      dripping.send("X");
    } catch (const Error&) {
      refused = true;
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  CHECK(refused);
  CHECK(fetch(server.port(), "/").status == 200);
}

TEST_CASE("server: requests that are too long, broken or carry a body") {
  Hub hub;
  DashboardServer server(hub, any_port());
  const int port = server.port();
  CHECK(fetch(port, "/" + std::string(70'000, 'a')).status == 431);
  SocketClient garbage(port);
  garbage.send("\x16\x03\x01 not http at all\r\n\r\n");
  CHECK(garbage.read_response().status == 400);
  CHECK(garbage.closed_by_server());
  SocketClient body(port);
  body.send("POST /api/calls HTTP/1.1\r\nHost: " + body.host() + "\r\nContent-Length: 100000\r\n\r\n");
  CHECK(body.read_response().status == 405);
  CHECK(body.closed_by_server());
  SocketClient hidden(port);  // the body of a GET is not taken for the next request
  hidden.send("GET / HTTP/1.1\r\nHost: " + hidden.host() + "\r\nContent-Length: 20\r\n\r\nGET /api/calls HTTP/");
  CHECK(hidden.read_response().status == 200);
  CHECK(hidden.closed_by_server());
  SocketClient twice(port);
  twice.send("GET / HTTP/1.1\r\nHost: " + twice.host() + "\r\nHost: evil.example\r\n\r\n");
  CHECK(twice.read_response().status == 400);
  SocketClient nameless(port);
  nameless.send("GET / HTTP/1.1\r\n\r\n");
  CHECK(nameless.read_response().status == 400);
}

TEST_CASE("server: one connection serves many requests, one after the other and at once") {
  Hub hub;
  DashboardServer server(hub, any_port());
  SocketClient client(server.port());
  const std::string none = "{\"boot\":\"" + hub.boot() + "\",\"calls\":[]}";
  for (int i = 0; i < 20; ++i) CHECK(client.get("/api/calls").body == none);
  client.send("HEAD / HTTP/1.1\r\nHost: " + client.host() +
              "\r\n\r\nGET /api/calls HTTP/1.1\r\nHost: " + client.host() + "\r\n\r\n");
  const HttpResponse head = client.read_response(true);
  CHECK(head.status == 200);
  CHECK(std::stoi(head.headers.at("content-length")) > 100);
  CHECK(client.read_response().body == none);
  const HttpResponse packed = client.get("/", "Accept-Encoding: gzip\r\n");
  CHECK(packed.headers.at("content-encoding") == "gzip");
  CHECK(packed.body.substr(0, 2) == "\x1f\x8b");
  client.send("HEAD / HTTP/1.1\r\nHost: " + client.host() + "\r\nAccept-Encoding: gzip\r\n\r\n");
  CHECK(client.read_response(true).headers == packed.headers);
  const HttpResponse same =
      client.get("/", "Accept-Encoding: gzip\r\nIf-None-Match: " + packed.headers.at("etag") + "\r\n");
  CHECK(same.status == 304);
  CHECK(same.headers.count("content-length") == 0);
  CHECK(client.get("/api/calls").body == none);
}

TEST_CASE("server: a browser that leaves in the middle of an answer") {
  Hub hub;
  DashboardServer server(hub, any_port());
  hub.open(info("a"));
  const std::string line = "{\"text\":\"" + std::string(1000, 'x') + "\"}";
  for (int i = 0; i < 20'000; ++i) hub.publish("a", line);
  {
    SocketClient leaving(server.port(), 4096);
    leaving.send("GET /api/calls/a HTTP/1.1\r\nHost: " + leaving.host() + "\r\n\r\n");
    leaving.reset();
  }
  const Json call = Json::parse(fetch(server.port(), "/api/calls/a").body);
  CHECK(call["events"].size() == 20'000);
  CHECK(call["events"].back()["text"].get<std::string>().size() == 1000);
  CHECK(eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("server: a busy port, a port that is none and an address that others reach are one clear line") {
  Hub hub;
  DashboardServer server(hub, any_port());
  DashboardOptions options;
  options.port = server.port();
  const std::string place = "port " + std::to_string(server.port());
  CHECK(error_of([&] { DashboardServer again(hub, options); }) ==
        place + ": busy; choose another with --port, or 0 for any free one");
  options.port = 70000;
  CHECK(error_of([&] { DashboardServer none(hub, options); }).find("port 70000: no such port") == 0);
  options.port = 0;
  for (const char* address : {"0.0.0.0", "192.168.1.1", "localhost", "", "::"}) {
    options.address = address;
    CHECK(error_of([&] { DashboardServer open(hub, options); }).find("not a loopback address") != std::string::npos);
  }
  CHECK(server.url() == "http://127.0.0.1:" + std::to_string(server.port()) + "/");
  CHECK(fetch(server.port(), "/").status == 200);
}

TEST_CASE("server: it can be stopped while players publish and viewers watch") {
  Hub hub;
  hub.open(info("a"));
  std::atomic<bool> stop{false};
  std::thread player([&] {
    for (int i = 0; !stop; ++i) {
      if (!hub.publish("a", event(i))) std::this_thread::yield();
    }
  });
  for (int round = 0; round < 20; ++round) {
    DashboardServer server(hub, any_port());
    SocketClient viewer = watch(server.port());
    viewer.read_message();
  }
  stop = true;
  player.join();
}
