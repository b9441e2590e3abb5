// A client of plain POSIX sockets for the dashboard's tests: HTTP requests and WebSocket frames written and read byte
// by byte, so that nothing of the server's own library judges the server. Every wait ends after 30 s, as an Error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "serene/core/json.h"

namespace serene::test {

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

struct WebFrame {
  int opcode = 0;  // 1 text, 8 close, 9 ping, 10 pong
  std::string payload;
  int close_code() const;  // 0 when there is none
};

class SocketClient {
 public:
  explicit SocketClient(int port, int receive_buffer_bytes = 0);
  ~SocketClient();
  SocketClient(SocketClient&& other) noexcept : socket_(other.socket_), port_(other.port_), pending_(other.pending_) {
    other.socket_ = -1;
  }
  SocketClient& operator=(SocketClient&&) = delete;

  void send(std::string_view bytes);
  bool closed_by_server();  // waits until the server closes; false when it sends something instead
  void reset();             // gone at once, with a TCP reset

  // head_only: the answer to HEAD has no body.
  HttpResponse read_response(bool head_only = false);
  HttpResponse get(const std::string& target, const std::string& more_headers = "");
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  // The answer to the upgrade (101 when it worked).
  HttpResponse upgrade(const std::string& target, const std::string& more_headers = "");
  void send_frame(int opcode, std::string_view payload);
  WebFrame read_frame();
  // The next text frame as JSON; answers pings; throws when the server closes.
  Json read_message();

 private:
  std::string take(std::size_t bytes);
  bool fill();

  int socket_ = -1;
  int port_ = 0;
  std::string pending_;
};

// One GET on a connection of its own.
HttpResponse fetch(int port, const std::string& target, const std::string& more_headers = "");

}  // namespace serene::test
