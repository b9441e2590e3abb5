// What the dashboard answers to a request over HTTP: pages, embedded files, calls, sound and documents. Pure look-ups
// in the hub, apart from any socket.
//
//   /  /call/ID  /widget/ID                      the page (index.html; app.js looks at the address)
//   /assets/...                                  embedded files, exact names; gzip for who accepts it
//   /api/calls                                   {"boot","calls":[{"id",..,"t_ms","ended"}]}
//   /api/calls/ID                                the same object with "events", "documents", "audio", "n", "boot"
//   /api/calls/ID/audio?from_ms=..&ms=..         WAV, 16 bit, left customer, right agent; 416 beyond what was played
//   /api/calls/ID/documents/NAME
//   /live?after=N[&call=ID][&boot=B]             WebSocket (live_feed.h)
//
// Only pages of this server may ask: the Host must be a loopback name with the port (so that another site's name cannot
// be pointed here), the Origin of a WebSocket the same, and a request that a browser marks as another site's is
// refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "serene/server/hub.h"

namespace serene {

// Headers are "" when absent.
struct HttpRequest {
  std::string_view method, target, host, origin, fetch_site, if_none_match, accept_encoding;
  bool upgrade = false;  // asks for a WebSocket
};

// parts, one after the other, are the body; kept holds the memory they lie in.
struct HttpReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string_view> parts;
  std::vector<std::shared_ptr<const void>> kept;

  std::size_t body_bytes() const noexcept;  // of the body, whichever it is
  void add(std::string text);               // keeps the text
  void add_static(std::string_view text);   // text lives as long as the program
};

// A WebSocket that may be opened.
struct LiveRequest {
  std::int64_t after = 0;
  std::string call, boot;
};

class DashboardRoutes {
 public:
  // address, port: where the server listens; names what Host may say. The hub must outlive this. Thread-safe.
  DashboardRoutes(const Hub& hub, const std::string& address, int port);

  // Never throws but for lack of memory; every fault is a reply with its status and one line of text.
  std::variant<HttpReply, LiveRequest> answer(const HttpRequest& request) const;

 private:
  HttpReply page_or_file(std::string_view path, const HttpRequest& request) const;
  HttpReply api(std::string_view path, std::string_view query) const;
  HttpReply call_list() const;
  HttpReply call_page(const std::string& id) const;
  HttpReply call_audio(const std::string& id, std::string_view query) const;
  HttpReply call_document(const std::string& id, const std::string& name) const;
  std::variant<HttpReply, LiveRequest> live(std::string_view path, std::string_view query,
                                            const HttpRequest& request) const;

  const Hub& hub_;
  std::vector<std::string> hosts_;
};

// Whether an Accept-Encoding header allows gzip (RFC 9110, 12.5.3). A quality that is no number counts as a refusal.
bool accepts_gzip(std::string_view accept_encoding);
// Whether an If-None-Match header names this ETag, which has its quotes (RFC 9110, 13.1.2).
bool names_etag(std::string_view if_none_match, std::string_view etag);
// A reply of plain text.
HttpReply text_reply(int status, std::string text);
// Status line and headers, with the security headers of every reply. host: the Host of the request, already checked.
std::string reply_head(const HttpReply& reply, std::string_view host, bool keep_alive);

}  // namespace serene
