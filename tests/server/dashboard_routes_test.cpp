// Every route of the dashboard, without sockets: answers, headers and refusals.
#include "serene/server/dashboard_routes.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "serene/server/web_assets.h"
#include "server_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

constexpr int kPort = 8080;

struct Site {
  Hub hub;
  DashboardRoutes routes{hub, "127.0.0.1", kPort};

  static HttpRequest request(std::string_view target) {
    HttpRequest asked;
    asked.method = "GET";
    asked.target = target;
    asked.host = "127.0.0.1:8080";
    return asked;
  }
  HttpReply reply(const HttpRequest& asked) const {
    auto answer = routes.answer(asked);
    REQUIRE(std::holds_alternative<HttpReply>(answer));
    return std::get<HttpReply>(std::move(answer));
  }
  HttpReply get(std::string_view target) const { return reply(request(target)); }
  int status(std::string_view target) const { return get(target).status; }
};

std::string body(const HttpReply& reply) {
  std::string text;
  for (const std::string_view part : reply.parts) text += part;
  return text;
}

std::string header(const HttpReply& reply, const std::string& name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return "";
}

int number16(const std::string& bytes, std::size_t at) {
  return static_cast<std::int16_t>(static_cast<unsigned char>(bytes[at]) |
                                   (static_cast<unsigned char>(bytes[at + 1]) << 8));
}

}  // namespace

TEST_CASE("routes: pages and embedded files") {
  Site site;
  const std::string page = body(site.get("/"));
  CHECK(page.find("<html") != std::string::npos);
  CHECK(body(site.get("/call/abc-1")) == page);
  CHECK(body(site.get("/widget/abc-1?x=1")) == page);
  for (const WebAsset& asset : web_assets()) {
    const HttpReply reply = site.get(asset.path);
    CHECK(reply.status == 200);
    CHECK(body(reply) == asset.bytes);
    CHECK(header(reply, "Content-Type") == asset.type);
    HttpRequest again = Site::request(asset.path);
    again.if_none_match = asset.etag;
    CHECK(site.reply(again).status == 304);
    CHECK(body(site.reply(again)).empty());
  }
  CHECK(header(site.get("/assets/app.js"), "Content-Type") == "text/javascript; charset=utf-8");
  CHECK(site.status("/favicon.ico") == 204);
}

TEST_CASE("routes: files come compressed to who accepts it") {
  Site site;
  std::size_t plain_bytes = 0, packed_bytes = 0;
  for (const WebAsset& asset : web_assets()) {
    HttpRequest asked = Site::request(asset.path);
    CHECK(header(site.reply(asked), "Content-Encoding").empty());
    asked.accept_encoding = "br, gzip";
    const HttpReply packed = site.reply(asked);
    plain_bytes += asset.bytes.size();
    packed_bytes += packed.body_bytes();
    if (asset.gzip.empty()) {
      CHECK(body(packed) == asset.bytes);
      CHECK(header(packed, "Vary").empty());
      continue;
    }
    CHECK(header(packed, "Content-Encoding") == "gzip");
    CHECK(header(packed, "Content-Type") == asset.type);
    CHECK(header(packed, "Vary") == "Accept-Encoding");
    CHECK(header(site.get(asset.path), "Vary") == "Accept-Encoding");
    CHECK(body(packed).substr(0, 3) == "\x1f\x8b\x08");
    CHECK(packed.body_bytes() < asset.bytes.size());
    // gzip ends with the length of what it holds (RFC 1952).
    const std::string bytes = body(packed);
    std::size_t length = 0;
    for (std::size_t i = 1; i <= 4; ++i) length = 256 * length + static_cast<unsigned char>(bytes[bytes.size() - i]);
    CHECK(length == asset.bytes.size());
    // The two forms have different names, and neither stands for the other.
    CHECK(header(packed, "ETag") == asset.gzip_etag);
    CHECK(asset.gzip_etag != asset.etag);
    asked.if_none_match = asset.etag;
    CHECK(site.reply(asked).status == 200);
    asked.if_none_match = asset.gzip_etag;
    const HttpReply same = site.reply(asked);
    CHECK(same.status == 304);
    CHECK(same.parts.empty());
    CHECK(header(same, "Vary") == "Accept-Encoding");
    CHECK(header(same, "Content-Encoding").empty());
    asked.accept_encoding = "gzip;q=0, *";
    CHECK(site.reply(asked).status == 200);
    CHECK(body(site.reply(asked)) == asset.bytes);
  }
  CHECK(packed_bytes < 100'000);
  CHECK(2 * packed_bytes < plain_bytes);
}

TEST_CASE("routes: what Accept-Encoding and If-None-Match say") {
  for (const char* yes : {"gzip", "GZip", "x-gzip", "deflate, gzip;q=1.0, *;q=0.5", "*", "gzip ; q=0.001", "br,gzip",
                          "*;q=0, gzip", "gzip;q=1", "identity;q=0.5 , gzip"}) {
    CHECK_MESSAGE(accepts_gzip(yes), yes);
  }
  for (const char* no :
       {"", "identity", "gzip;q=0", "gzip;q=0.0", "gzip; q=0.000", "*;q=0", "br, deflate", "gzip;q=0, *", "gzip;q=x",
        "gzip;q=", "gzip;q=-1", "gzip;q=2", "gzip;q=1.5", "gzip;q=0.0001", "gzipped", "gzip;level=9", " , ;", "q=1"}) {
    CHECK_MESSAGE(!accepts_gzip(no), no);
  }
  for (const char* yes : {"\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",W/\"a\" ", "*"}) {
    CHECK_MESSAGE(names_etag(yes, "\"a\""), yes);
  }
  for (const char* no : {"", "a", "\"a", "\"ab\"", "\"a-gzip\"", "w/\"a\"", ",,"}) {
    CHECK_MESSAGE(!names_etag(no, "\"a\""), no);
  }
}

TEST_CASE("routes: what is not in the table is not there") {
  Site site;
  for (const char* target : {"/assets/",
                             "/assets",
                             "/assets/../index.html",
                             "/assets/%2e%2e/index.html",
                             "/../../etc/passwd",
                             "//",
                             "/call/",
                             "/call/a/b",
                             "/call/%61",
                             "/widget",
                             "/api",
                             "/api/",
                             "/api/calls/",
                             "/api/calls/none",
                             "/api/calls/../x",
                             "/api/calls/none/audio",
                             "/api/calls/none/documents/report.html",
                             "/assets/app.js/",
                             "index.html",
                             "",
                             "*",
                             "http://127.0.0.1:8080/",
                             "/etc/passwd"}) {
    CHECK_MESSAGE(site.status(target) == 404, target);
  }
  CHECK(site.status("/live") == 426);
}

TEST_CASE("routes: only this host's own pages may ask, and only read") {
  Site site;
  for (const char* host : {"localhost:8080", "LOCALHOST:8080", "[::1]:8080", "127.0.0.1:8080"}) {
    HttpRequest asked = Site::request("/");
    asked.host = host;
    CHECK(site.reply(asked).status == 200);
  }
  for (const char* host : {"", "evil.example", "evil.example:8080", "127.0.0.1", "localhost:80",
                           "127.0.0.1:8080.evil.example", "192.168.0.1:8080", "localhost:8080\r\nX: y"}) {
    HttpRequest asked = Site::request("/");
    asked.host = host;
    CHECK(site.reply(asked).status == 403);
  }
  HttpRequest socket = Site::request("/live?after=5&call=a");
  socket.upgrade = true;
  CHECK(std::holds_alternative<LiveRequest>(site.routes.answer(socket)));
  socket.origin = "http://127.0.0.1:8080";
  const auto live = site.routes.answer(socket);
  REQUIRE(std::holds_alternative<LiveRequest>(live));
  CHECK(std::get<LiveRequest>(live).after == 5);
  CHECK(std::get<LiveRequest>(live).call == "a");
  for (const char* origin : {"http://evil.example", "http://127.0.0.1:9090", "https://127.0.0.1:8080", "null",
                             "http://localhost:8080", "http://127.0.0.1:8080.evil.example"}) {
    socket.origin = origin;
    CHECK(site.reply(socket).status == 403);
  }
  HttpRequest cross = Site::request("/api/calls");
  for (const char* site_of : {"cross-site", "same-site"}) {
    cross.fetch_site = site_of;
    CHECK(site.reply(cross).status == 403);
  }
  cross.fetch_site = "same-origin";
  CHECK(site.reply(cross).status == 200);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PATCH"}) {
    HttpRequest asked = Site::request("/");
    asked.method = method;
    CHECK(site.reply(asked).status == 405);
    CHECK(header(site.reply(asked), "Allow") == "GET, HEAD");
  }
  for (const char* target :
       {"/live?after=-1", "/live?after=x", "/live?after=99999999999999999999", "/live?call=a%2Fb"}) {
    HttpRequest asked = Site::request(target);
    asked.upgrade = true;
    CHECK(site.reply(asked).status == 400);
  }
}

TEST_CASE("routes: calls, one call with its events, documents") {
  Site site;
  CHECK(body(site.get("/api/calls")) == "{\"boot\":\"" + site.hub.boot() + "\",\"calls\":[]}");
  site.hub.open(info("b"));
  site.hub.open(info("a"));
  site.hub.publish("b", event(0));
  site.hub.publish("a", event(7));
  site.hub.publish("b", event(1));
  site.hub.status("b", 4321, 1, 2, 3);
  site.hub.add_document("b", "report.html", "text/html; charset=utf-8", "<p>report");
  site.hub.add_document("b", "events.csv", "text/csv; charset=utf-8", "a,b");
  site.hub.close("b");
  const Json list = Json::parse(body(site.get("/api/calls")))["calls"];
  REQUIRE(list.size() == 2);
  CHECK(list[0].dump() ==
        R"({"id":"b","title":"title of b","started_at":"2026-01-02T03:04:05Z","source":"test","model":"model",)"
        R"("consent":"assumed","states":["neutral","angry"],"t_ms":4321,"ended":true})");
  CHECK(list[1]["ended"] == false);
  const Json call = Json::parse(body(site.get("/api/calls/b")));
  CHECK(call["title"] == "title of b");
  CHECK(call["events"].dump() == R"([{"seq":0},{"seq":1}])");
  CHECK(call["documents"].dump() == R"(["events.csv","report.html"])");
  CHECK(call["audio"] == false);
  CHECK(call["n"] == 6);
  CHECK(call["boot"] == site.hub.boot());
  const HttpReply report = site.get("/api/calls/b/documents/report.html");
  CHECK(body(report) == "<p>report");
  CHECK(header(report, "Content-Disposition").empty());
  CHECK(reply_head(report, "x", true).find("default-src 'none'") != std::string::npos);
  CHECK(header(site.get("/api/calls/b/documents/events.csv"), "Content-Disposition") ==
        "attachment; filename=\"b-events.csv\"");
  CHECK(site.status("/api/calls/b/documents/") == 404);
  CHECK(site.status("/api/calls/b/documents/../report.html") == 404);
}

TEST_CASE("routes: sound is what was played, to the sample") {
  Site site;
  site.hub.open(info("a"));
  CHECK(site.status("/api/calls/a/audio") == 404);
  std::vector<float> customer(16000), agent(12000);
  for (std::size_t i = 0; i < customer.size(); ++i) customer[i] = static_cast<float>(i % 1000) / 32767.0f;
  for (std::size_t i = 0; i < agent.size(); ++i) agent[i] = -static_cast<float>(i % 777) / 32767.0f;
  customer[8000] = 2.0f;
  agent[8000] = std::numeric_limits<float>::quiet_NaN();
  const auto played = std::make_shared<std::atomic<std::int64_t>>(0);
  site.hub.set_audio("a", recorded_sound({8000, 8000}, {customer, agent}, played));
  CHECK(site.status("/api/calls/a/audio?from_ms=0&ms=100") == 416);
  *played = 1600;
  const HttpReply reply = site.get("/api/calls/a/audio?from_ms=999&ms=1000");
  CHECK(reply.status == 200);
  CHECK(header(reply, "Content-Type") == "audio/wav");
  const std::string wave = body(reply);
  CHECK(wave.substr(0, 4) == "RIFF");
  const std::size_t from = 7992, frames = 12800 - from;  // only what was played
  REQUIRE(wave.size() == 44 + 4 * frames);
  bool same = true;
  for (std::size_t i = 0; i < frames; ++i) {
    const std::size_t at = from + i;
    const int left = at == 8000 ? 32767 : static_cast<int>(at % 1000);
    const int right = at >= agent.size() || at == 8000 ? 0 : -static_cast<int>(at % 777);
    same = same && number16(wave, 44 + 4 * i) == left && number16(wave, 46 + 4 * i) == right;
  }
  CHECK(same);
  CHECK(number16(wave, 22) == 2);     // channels
  CHECK(number16(wave, 24) == 8000);  // rate
  CHECK(site.status("/api/calls/a/audio?from_ms=1600&ms=100") == 416);
  CHECK(site.status("/api/calls/a/audio?from_ms=9223372036854775807&ms=60000") == 416);
  *played = 1'000'000'000;
  CHECK(body(site.get("/api/calls/a/audio?from_ms=1999&ms=60000")).size() == 44 + 4 * 8);
  for (const char* query :
       {"from_ms=-1", "from_ms=x", "ms=0", "ms=60001", "ms=", "from_ms=1.5", "ms=99999999999999999999"}) {
    CHECK_MESSAGE(site.status(std::string("/api/calls/a/audio?") + query) == 400, query);
  }
}

TEST_CASE("routes: legs of different rates are heard at the higher one") {
  const auto played = std::make_shared<std::atomic<std::int64_t>>(500);
  const CallSound sound = recorded_sound({8000, 16000}, {std::vector<float>(8000, 0.5f), {}}, played);
  CHECK(sound.rate_hz == 16000);
  CHECK(sound.played() == 8000);
  std::vector<float> customer(100), agent(100, 1.0f);
  sound.read(4000, customer, agent);
  CHECK(customer[50] == doctest::Approx(0.5).epsilon(0.01));
  CHECK(agent[50] == 0);
  CHECK(error_of([&] { recorded_sound({0, 8000}, {}, played); }).find("rate") != std::string::npos);
}

TEST_CASE("routes: every reply carries the security headers") {
  const std::string head = reply_head(text_reply(404, "no"), "localhost:8080", false);
  for (const char* line :
       {"HTTP/1.1 404 Not Found\r\n", "Cache-Control: no-store\r\n", "X-Content-Type-Options: nosniff\r\n",
        "default-src 'self'; connect-src 'self' ws://localhost:8080;", "frame-ancestors 'none'",
        "Content-Length: 3\r\n", "Connection: close\r\n"}) {
    CHECK_MESSAGE(head.find(line) != std::string::npos, line);
  }
  CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
}
