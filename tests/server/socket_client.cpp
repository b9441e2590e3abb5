#include "socket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <sstream>

#include "serene/core/error.h"

namespace serene::test {

namespace {

Error client_error(const char* problem) { return Error(ErrorCode::internal, "test client", problem); }

}  // namespace

int WebFrame::close_code() const {
  if (opcode != 8 || payload.size() < 2) return 0;
  return static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
}

SocketClient::SocketClient(int port, int receive_buffer_bytes) : port_(port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket_ < 0) throw client_error("no socket");
  if (receive_buffer_bytes > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  const timeval limit{30, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    throw client_error("cannot connect");
  }
}

SocketClient::~SocketClient() {
  if (socket_ >= 0) ::close(socket_);
}

void SocketClient::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket_);
  socket_ = -1;
}

void SocketClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw client_error("cannot send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool SocketClient::fill() {
  char buffer[65536];
  const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw client_error("nothing came for 30 s");
  if (got <= 0) return false;
  pending_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

bool SocketClient::closed_by_server() { return pending_.empty() && !fill(); }

std::string SocketClient::take(std::size_t bytes) {
  while (pending_.size() < bytes) {
    if (!fill()) throw client_error("the server closed the connection");
  }
  std::string taken = pending_.substr(0, bytes);
  pending_.erase(0, bytes);
  return taken;
}

HttpResponse SocketClient::read_response(bool head_only) {
  std::size_t end;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) throw client_error("the server closed the connection");
  }
  std::istringstream head(take(end + 4));
  HttpResponse response;
  std::string line;
  std::getline(head, line);
  response.status = std::stoi(line.substr(9, 3));
  while (std::getline(head, line) && line != "\r") {
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
  const auto length = response.headers.find("content-length");
  if (!head_only && length != response.headers.end()) response.body = take(std::stoul(length->second));
  return response;
}

HttpResponse SocketClient::get(const std::string& target, const std::string& more_headers) {
  send("GET " + target + " HTTP/1.1\r\nHost: " + host() + "\r\n" + more_headers + "\r\n");
  return read_response();
}

HttpResponse SocketClient::upgrade(const std::string& target, const std::string& more_headers) {
  return get(target,
             "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                 more_headers);
}

void SocketClient::send_frame(int opcode, std::string_view payload) {
  std::string frame;
  frame.push_back(static_cast<char>(0x80 | opcode));
  const int length_bytes = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
  frame.push_back(static_cast<char>(0x80 | (length_bytes == 0   ? static_cast<int>(payload.size())
                                            : length_bytes == 2 ? 126
                                                                : 127)));
  for (int i = length_bytes - 1; i >= 0; --i) frame.push_back(static_cast<char>((payload.size() >> (8 * i)) & 0xff));
  const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
  for (const unsigned char byte : mask) frame.push_back(static_cast<char>(byte));
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(static_cast<unsigned char>(payload[i]) ^ mask[i % 4]));
  }
  send(frame);
}

WebFrame SocketClient::read_frame() {
  const std::string head = take(2);
  if ((head[0] & 0x80) == 0) throw client_error("a message in pieces, which the server does not send");
  WebFrame frame;
  frame.opcode = head[0] & 0x0f;
  std::uint64_t length = head[1] & 0x7f;
  const std::size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (length_bytes > 0) {
    length = 0;
    for (const char byte : take(length_bytes)) length = length * 256 + static_cast<unsigned char>(byte);
  }
  frame.payload = take(length);
  return frame;
}

Json SocketClient::read_message() {
  while (true) {
    const WebFrame frame = read_frame();
    if (frame.opcode == 9) {
      send_frame(10, frame.payload);
    } else if (frame.opcode == 1) {
      return Json::parse(frame.payload);
    } else {
      throw client_error("the server closed the WebSocket");
    }
  }
}

HttpResponse fetch(int port, const std::string& target, const std::string& more_headers) {
  return SocketClient(port).get(target, more_headers);
}

}  // namespace serene::test
