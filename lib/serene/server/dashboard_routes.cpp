#include "serene/server/dashboard_routes.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "serene/server/web_assets.h"

namespace serene {

namespace {

constexpr std::int64_t kMaxAudioMs = 60'000;
constexpr std::string_view kJsonType = "application/json";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 416:
      return "Range Not Satisfiable";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

// The value of `name` in "a=1&b=2"; nothing when it is absent.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    const std::size_t equal = std::min(item.find('='), item.size());
    if (item.substr(0, equal) == name) return item.substr(std::min(equal + 1, item.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

// A whole number from 0 up; `fallback` when absent, nothing when it is anything else.
std::optional<std::int64_t> query_number(std::string_view query, std::string_view name, std::int64_t fallback) {
  const auto text = query_value(query, name);
  if (!text) return fallback;
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (fault != std::errc() || end != text->data() + text->size() || value < 0) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t from = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(from, text.find_last_not_of(" \t") + 1 - from);
}

// Takes the part before `mark` off the front of `rest`, which is then behind the mark.
std::string_view take_item(std::string_view& rest, char mark) {
  const std::size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view item = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return item;
}

// A weight is 0 to 1 with at most three decimals; whether it is one above 0.
bool is_positive_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[1] != '.')) return false;
  const std::string_view decimals = text.substr(std::min<std::size_t>(2, text.size()));
  const auto only = [](std::string_view digits, const char* allowed) {
    return digits.find_first_not_of(allowed) == std::string_view::npos;
  };
  if (text[0] == '1') return only(decimals, "0");
  return text[0] == '0' && only(decimals, "0123456789") && !only(decimals, "0");
}

const WebAsset* find_asset(std::string_view path) {
  for (const WebAsset& asset : web_assets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

bool is_page(std::string_view path) {
  if (path == "/") return true;
  for (const std::string_view prefix : {"/call/", "/widget/"}) {
    if (path.substr(0, prefix.size()) == prefix && is_call_id(path.substr(prefix.size()))) return true;
  }
  return false;
}

HttpReply json_reply(std::string text) {
  HttpReply reply;
  reply.headers.emplace_back("Content-Type", kJsonType);
  reply.add(std::move(text));
  return reply;
}

Json state_json(const CallState& state) {
  Json json = to_json(state.info);
  json["t_ms"] = state.t_ms;
  json["ended"] = state.ended;
  return json;
}

// The last character, the closing brace, is left to whoever adds to the object.
std::string open_object(const Json& json) {
  std::string text = dump_line(json);
  text.pop_back();
  return text;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<bool> named, any;
  while (!accept_encoding.empty()) {
    std::string_view item = take_item(accept_encoding, ',');
    const std::string coding = lower(take_item(item, ';'));
    const std::string weight = lower(trimmed(item));
    const bool allowed =
        weight.empty() || (weight.substr(0, 2) == "q=" && is_positive_weight(std::string_view(weight).substr(2)));
    if (coding == "gzip" || coding == "x-gzip") named = named.value_or(true) && allowed;
    if (coding == "*") any = allowed;
  }
  return named.value_or(any.value_or(false));
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    std::string_view item = take_item(if_none_match, ',');
    if (item.substr(0, 2) == "W/") item.remove_prefix(2);
    if (item == etag || item == "*") return true;
  }
  return false;
}

std::size_t HttpReply::body_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  return bytes;
}

void HttpReply::add(std::string text) {
  auto owned = std::make_shared<const std::string>(std::move(text));
  parts.push_back(*owned);
  kept.push_back(std::move(owned));
}

void HttpReply::add_static(std::string_view text) { parts.push_back(text); }

HttpReply text_reply(int status, std::string text) {
  HttpReply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  reply.add(std::move(text) + "\n");
  return reply;
}

std::string reply_head(const HttpReply& reply, std::string_view host, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head.append(reason_phrase(reply.status)).append("\r\n");
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  bool caching = false, policy = false;
  for (const auto& [name, value] : reply.headers) {
    add(name, value);
    caching = caching || name == "Cache-Control";
    policy = policy || name == "Content-Security-Policy";
  }
  if (!caching) add("Cache-Control", "no-store");
  if (!policy) {
    // 'self' does not cover ws: in every browser; the host has been checked.
    const std::string socket = host.empty() ? "" : " ws://" + std::string(host);
    add("Content-Security-Policy", "default-src 'self'; connect-src 'self'" + socket +
                                       "; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; "
                                       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  }
  add("X-Content-Type-Options", "nosniff");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Cross-Origin-Opener-Policy", "same-origin");
  if (reply.status != 204 && reply.status != 304) add("Content-Length", std::to_string(reply.body_bytes()));
  add("Connection", keep_alive ? "keep-alive" : "close");
  head += "\r\n";
  return head;
}

DashboardRoutes::DashboardRoutes(const Hub& hub, const std::string& address, int port) : hub_(hub) {
  const std::string own = address.find(':') == std::string::npos ? address : "[" + address + "]";
  for (const std::string& name : {std::string("localhost"), std::string("127.0.0.1"), std::string("[::1]"), own}) {
    hosts_.push_back(name + ":" + std::to_string(port));
    if (port == 80) hosts_.push_back(name);  // browsers leave the usual port out
  }
}

std::variant<HttpReply, LiveRequest> DashboardRoutes::answer(const HttpRequest& request) const {
  const std::string host = lower(request.host);
  if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) {
    return text_reply(403, "This server answers to localhost alone.");
  }
  if (!request.origin.empty() && lower(request.origin) != "http://" + host) {
    return text_reply(403, "Pages of other sites are refused.");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    HttpReply reply = text_reply(405, "Only GET and HEAD.");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  const std::size_t mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, mark);
  const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));
  const bool page = is_page(path);
  if (!page && !request.fetch_site.empty() && request.fetch_site != "same-origin" && request.fetch_site != "none") {
    return text_reply(403, "Pages of other sites are refused.");
  }
  if (path == "/live" || request.upgrade) return live(path, query, request);
  if (path == "/api" || path.substr(0, 5) == "/api/") return api(path, query);
  return page_or_file(page ? "/index.html" : path, request);
}

HttpReply DashboardRoutes::page_or_file(std::string_view path, const HttpRequest& request) const {
  const WebAsset* asset = find_asset(path);
  HttpReply reply;
  if (asset == nullptr) {
    if (path != "/favicon.ico") return text_reply(404, "Not found.");
    reply.status = 204;  // browsers ask on their own; a 404 would stand in their console
    return reply;
  }
  const bool gzip = !asset->gzip.empty() && accepts_gzip(request.accept_encoding);
  const std::string_view etag = gzip ? asset->gzip_etag : asset->etag;
  reply.headers.emplace_back("Content-Type", asset->type);
  reply.headers.emplace_back("ETag", etag);
  reply.headers.emplace_back("Cache-Control", "no-cache");
  if (!asset->gzip.empty()) reply.headers.emplace_back("Vary", "Accept-Encoding");
  if (names_etag(request.if_none_match, etag)) {
    reply.status = 304;
    return reply;
  }
  if (gzip) reply.headers.emplace_back("Content-Encoding", "gzip");
  reply.add_static(gzip ? asset->gzip : asset->bytes);
  return reply;
}

HttpReply DashboardRoutes::api(std::string_view path, std::string_view query) const {
  constexpr std::string_view list = "/api/calls";
  if (path == list) return call_list();
  if (path.substr(0, list.size() + 1) != "/api/calls/") return text_reply(404, "Not found.");
  path.remove_prefix(list.size() + 1);
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view id = path.substr(0, slash);
  const std::string_view rest = path.substr(slash);
  if (!is_call_id(id)) return text_reply(404, "Not found.");
  if (rest.empty()) return call_page(std::string(id));
  if (rest == "/audio") return call_audio(std::string(id), query);
  constexpr std::string_view documents = "/documents/";
  if (rest.substr(0, documents.size()) == documents) {
    return call_document(std::string(id), std::string(rest.substr(documents.size())));
  }
  return text_reply(404, "Not found.");
}

HttpReply DashboardRoutes::call_list() const {
  Json list = Json::array();
  for (const CallState& state : hub_.calls()) list.push_back(state_json(state));
  Json json;
  json["boot"] = hub_.boot();
  json["calls"] = std::move(list);
  return json_reply(dump_line(json));
}

HttpReply DashboardRoutes::call_page(const std::string& id) const {
  auto log = hub_.log_of(id);
  if (!log) return text_reply(404, "No such call.");
  Json json = state_json(log->state);
  json["documents"] = log->state.documents;
  json["audio"] = log->state.audio;
  json["n"] = log->n;
  json["boot"] = hub_.boot();
  HttpReply reply = json_reply(open_object(json));
  reply.add_static(",\"events\":[");
  reply.parts.reserve(2 * log->lines.size() + 3);
  bool first = true;
  for (const LogLine& line : log->lines) {
    if (!std::exchange(first, false)) reply.add_static(",");
    reply.parts.push_back(line.event());
  }
  reply.add_static("]}");
  reply.kept.push_back(std::make_shared<const CallLog>(std::move(*log)));
  return reply;
}

HttpReply DashboardRoutes::call_audio(const std::string& id, std::string_view query) const {
  const CallSound sound = hub_.audio(id);
  if (!sound) return text_reply(404, "No sound is kept of this call.");
  const auto from_ms = query_number(query, "from_ms", 0);
  const auto ms = query_number(query, "ms", 1000);
  if (!from_ms || !ms || *ms == 0 || *ms > kMaxAudioMs) {
    return text_reply(400, "from_ms and ms are whole numbers, ms 1 to " + std::to_string(kMaxAudioMs) + ".");
  }
  const Index played = sound.played();
  const std::int64_t rate = sound.rate_hz;
  if (*from_ms >= static_cast<std::int64_t>(played) * 1000 / rate + 1) return text_reply(416, "Not played yet.");
  const auto from = static_cast<Index>(*from_ms * rate / 1000);
  const auto end = std::min<Index>(played, static_cast<Index>((*from_ms + *ms) * rate / 1000));
  if (from >= end) return text_reply(416, "Not played yet.");
  const auto frames = static_cast<std::size_t>(end - from);
  std::vector<float> customer(frames), agent(frames);
  sound.read(from, customer, agent);
  HttpReply reply;
  reply.headers.emplace_back("Content-Type", "audio/wav");
  reply.add(stereo_wave16(customer, agent, sound.rate_hz));
  return reply;
}

HttpReply DashboardRoutes::call_document(const std::string& id, const std::string& name) const {
  auto document = hub_.document(id, name);
  if (!document) return text_reply(404, "Not found.");
  HttpReply reply;
  reply.headers.emplace_back("Content-Type", document->type);
  // A report stands alone: its own styles, no script, nothing from elsewhere.
  reply.headers.emplace_back("Content-Security-Policy",
                             "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'");
  if (document->type.substr(0, 9) != "text/html") {
    reply.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + id + "-" + name + "\"");
  }
  reply.parts.push_back(document->text);
  reply.kept.push_back(std::move(document));
  return reply;
}

std::variant<HttpReply, LiveRequest> DashboardRoutes::live(std::string_view path, std::string_view query,
                                                           const HttpRequest& request) const {
  if (path != "/live") return text_reply(404, "Not found.");
  if (!request.upgrade) {
    HttpReply reply = text_reply(426, "A WebSocket.");
    reply.headers.emplace_back("Upgrade", "websocket");
    return reply;
  }
  const auto after = query_number(query, "after", 0);
  const auto call = query_value(query, "call").value_or("");
  const auto boot = query_value(query, "boot").value_or("");
  if (!after || (!call.empty() && !is_call_id(call)) || boot.size() > 64) {
    return text_reply(400, "after is a whole number, call the id of a call.");
  }
  return LiveRequest{*after, std::string(call), std::string(boot)};
}

}  // namespace serene
