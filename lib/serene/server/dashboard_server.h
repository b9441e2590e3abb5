// The dashboard over HTTP and WebSocket (Boost.Beast) on a loopback address, in a thread of its own.
//
// Nothing a browser does can hurt the calls: the server only reads the hub. Slow, silent and half-open connections are
// dropped by time limits and, when too many stand open, oldest first; each viewer holds one message of at most
// max_live_message_bytes. Routes: dashboard_routes.h; live messages: live_feed.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "serene/server/hub.h"

namespace serene {

struct DashboardOptions {
  std::string address = "127.0.0.1";  // must be loopback
  int port = 8080;                    // 0: any free one
  std::size_t max_connections = 256;  // over HTTP; one more drops the oldest
  std::size_t max_viewers = 100;      // over WebSocket; one more is refused (503)
  std::size_t max_header_bytes = 64 * 1024;
  std::chrono::milliseconds request_timeout{5000};  // for a request to arrive, from the moment the server waits for it
  std::chrono::milliseconds reply_timeout{30000};   // for a reply to be taken
  std::chrono::milliseconds idle_timeout{30000};    // a viewer that does not answer a ping
  std::chrono::milliseconds status_every{250};
  std::chrono::milliseconds heartbeat_every{10000};  // a viewer hears "[]" when it has heard nothing for so long
};

class DashboardServer {
 public:
  // Listens from here on. hub must outlive the server, which is the only one on it. Throws Error(usage) when the port
  // is taken or not allowed, or the address is not loopback.
  DashboardServer(Hub& hub, DashboardOptions options);
  ~DashboardServer();  // stop()
  DashboardServer(const DashboardServer&) = delete;
  DashboardServer& operator=(const DashboardServer&) = delete;

  int port() const noexcept;  // that it listens on
  std::string url() const;    // "http://127.0.0.1:8080/"
  // Ends all connections and joins the thread. May be called more than once, by one thread at a time.
  void stop() noexcept;

  // For tests and logs; thread-safe.
  std::size_t viewers() const noexcept;
  std::size_t connections() const noexcept;  // over HTTP

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene
