// The only source that sees Boost. Everything below runs in the server's one thread, so nothing needs a lock; the hub's
// listener alone is called from elsewhere and only posts.
#include "serene/server/dashboard_server.h"

#include <signal.h>

#if defined(__SANITIZE_THREAD__)
#define BOOST_ASIO_DISABLE_FENCED_BLOCK  // GCC's thread sanitizer knows no fences; the queue's mutex orders as much
#endif

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <list>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <variant>

#include "serene/core/error.h"
#include "serene/server/dashboard_routes.h"
#include "serene/server/live_feed.h"

namespace serene {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Fault = beast::error_code;
using Request = http::request<http::empty_body>;

namespace {

class HttpConnection;
class Viewer;

// What connections and viewers share. Outlives them all.
struct Shared {
  Hub& hub;
  const DashboardOptions options;
  std::unique_ptr<DashboardRoutes> routes;
  std::list<HttpConnection*> connections;  // oldest first
  std::set<Viewer*> viewers;
  std::atomic<std::size_t> connection_count{0}, viewer_count{0};
};

// --- one viewer ---

class Viewer : public std::enable_shared_from_this<Viewer> {
 public:
  Viewer(Shared& shared, beast::tcp_stream&& stream, const LiveRequest& live)
      : shared_(shared), socket_(std::move(stream)), feed_(shared.hub, live.after, live.call, live.boot) {
    shared_.viewers.insert(this);
    ++shared_.viewer_count;
  }
  ~Viewer() {
    shared_.viewers.erase(this);
    --shared_.viewer_count;
  }
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  void accept(const Request& request) {
    beast::get_lowest_layer(socket_).expires_never();  // the WebSocket has time limits of its own
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = shared_.options.request_timeout;
    limits.idle_timeout = shared_.options.idle_timeout;
    limits.keep_alive_pings = true;
    socket_.set_option(limits);
    socket_.read_message_max(max_viewer_message_bytes);
    socket_.text(true);
    socket_.auto_fragment(false);
    Fault ignored;  // a viewer that does not read shall not fill megabytes of the system either
    const asio::socket_base::send_buffer_size one_message(static_cast<int>(max_live_message_bytes));
    beast::get_lowest_layer(socket_).socket().set_option(one_message, ignored);
    socket_.async_accept(request, [self = shared_from_this()](Fault fault) {
      if (fault) return;
      self->open_ = true;
      self->read();
      self->pump(true);
    });
  }

  void drop() { beast::get_lowest_layer(socket_).close(); }

  // Sends what is new unless a message is still on its way.
  void pump(bool with_status) {
    status_due_ = status_due_ || with_status;
    if (!open_ || writing_) return;
    frame_ = feed_.next(std::exchange(status_due_, false));
    const auto now = std::chrono::steady_clock::now();
    if (frame_.empty() && now - sent_ >= shared_.options.heartbeat_every) frame_ = "[]";
    if (frame_.empty()) return;
    sent_ = now;
    writing_ = true;
    socket_.async_write(asio::buffer(frame_), [self = shared_from_this()](Fault fault, std::size_t) {
      self->writing_ = false;
      self->open_ = self->open_ && !fault;
      self->pump(false);
    });
  }

 private:
  void read() {
    socket_.async_read(buffer_, [self = shared_from_this()](Fault fault, std::size_t) {
      self->open_ = self->open_ && !fault;  // closed, vanished, silent for too long, or said too much
      if (self->open_) self->obey();
    });
  }

  void obey() {
    try {
      if (!socket_.got_text()) return refuse();
      const auto data = buffer_.cdata();
      const ViewerCommand said =
          parse_viewer_command(std::string_view(static_cast<const char*>(data.data()), data.size()));
      shared_.hub.command(said.call, said.command);
    } catch (const Error&) {
      return refuse();
    }
    buffer_.consume(buffer_.size());
    read();
  }

  void refuse() {
    open_ = false;
    const websocket::close_reason reason(websocket::close_code::bad_payload, "expected acknowledge or consent");
    socket_.async_close(reason, [self = shared_from_this()](Fault) {});
  }

  Shared& shared_;
  websocket::stream<beast::tcp_stream, false> socket_;  // false: no compression, which only a slow line would need
  LiveFeed feed_;
  beast::flat_buffer buffer_{max_viewer_message_bytes + 1024};
  std::string frame_;
  std::chrono::steady_clock::time_point sent_ = std::chrono::steady_clock::now();
  bool open_ = false, writing_ = false, status_due_ = false;
};

// --- one connection over HTTP ---

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Shared& shared, tcp::socket&& socket) : shared_(shared), stream_(std::move(socket)) {
    place_ = shared_.connections.insert(shared_.connections.end(), this);
    ++shared_.connection_count;
  }
  ~HttpConnection() {
    shared_.connections.erase(place_);
    --shared_.connection_count;
  }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_.options.max_header_bytes));
    stream_.expires_after(shared_.options.request_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](Fault fault, std::size_t) { self->on_header(fault); });
  }

  void drop() { stream_.close(); }

 private:
  static std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

  void on_header(Fault fault) {
    if (fault == http::error::header_limit) return write(text_reply(431, "The request is too long."), false, false);
    if (fault && fault.category() == http::make_error_code(http::error::bad_method).category() &&
        fault != http::error::end_of_stream && fault != http::error::partial_message) {
      return write(text_reply(400, "Not a request."), false, false);
    }
    if (fault) return;  // closed, vanished or too slow
    const Request& request = parser_->get();
    // A repeated Host could be read one way here and another way elsewhere.
    if (request.count(http::field::host) != 1 || request.count(http::field::origin) > 1) {
      return write(text_reply(400, "One Host, please."), false, false);
    }
    HttpRequest asked;
    asked.method = view(request.method_string());
    asked.target = view(request.target());
    asked.host = view(request[http::field::host]);
    asked.origin = view(request[http::field::origin]);
    asked.fetch_site = view(request["Sec-Fetch-Site"]);
    asked.if_none_match = view(request[http::field::if_none_match]);
    asked.accept_encoding = view(request[http::field::accept_encoding]);
    asked.upgrade = websocket::is_upgrade(request);
    auto answer = shared_.routes->answer(asked);
    if (const LiveRequest* live = std::get_if<LiveRequest>(&answer)) return upgrade(*live);
    HttpReply& reply = std::get<HttpReply>(answer);
    if (reply.status != 403) host_ = std::string(asked.host);
    // With a body on the way the connection ends here: nobody reads it.
    const bool keep = request.keep_alive() && parser_->is_done() && reply.status != 405;
    write(std::move(reply), keep, asked.method == "HEAD");
  }

  void upgrade(const LiveRequest& live) {
    if (shared_.viewers.size() >= shared_.options.max_viewers) {
      return write(text_reply(503, "Too many viewers."), false, false);
    }
    const Request request = parser_->release();
    std::make_shared<Viewer>(shared_, std::move(stream_), live)->accept(request);
  }

  void write(HttpReply&& reply, bool keep, bool head_only) {
    reply_ = std::move(reply);
    head_ = reply_head(reply_, host_, keep);
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(reply_.parts.size() + 1);
    buffers.emplace_back(head_.data(), head_.size());
    if (!head_only) {
      for (const std::string_view part : reply_.parts) buffers.emplace_back(part.data(), part.size());
    }
    stream_.expires_after(shared_.options.reply_timeout);
    asio::async_write(stream_, std::move(buffers), [self = shared_from_this(), keep](Fault fault, std::size_t) {
      self->reply_ = HttpReply{};
      if (fault) return;
      if (keep) return self->read();
      Fault ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
      self->linger();
    });
  }

  // Reads what still comes until the other side closes: closing at once would take the reply away with a reset.
  void linger() {
    stream_.expires_after(shared_.options.request_timeout);
    discard();
  }
  void discard() {
    stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this()](Fault fault, std::size_t bytes) {
      self->discarded_bytes_ += bytes;
      if (!fault && self->discarded_bytes_ < (1u << 20)) self->discard();
    });
  }

  Shared& shared_;
  beast::tcp_stream stream_;
  std::list<HttpConnection*>::iterator place_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::string host_, head_;
  HttpReply reply_;
  std::array<char, 4096> discarded_;
  std::size_t discarded_bytes_ = 0;
};

}  // namespace

// --- the server ---

struct DashboardServer::Impl {
  Impl(Hub& hub, DashboardOptions options) : shared{hub, std::move(options), nullptr, {}, {}, {}, {}} {
    listen();
    shared.routes = std::make_unique<DashboardRoutes>(hub, shared.options.address, port);
    hub.on_change([this] {
      if (!wake_pending.exchange(true)) asio::post(context, [this] { wake(); });
    });
    accept();
    tick();
    // Signals are the program's affair, not this thread's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Impl() { stop(); }

  void stop() noexcept {
    if (!thread.joinable()) return;
    shared.hub.on_change({});
    context.stop();
    thread.join();
    Fault ignored;
    acceptor.close(ignored);
    for (HttpConnection* connection : shared.connections) connection->drop();
    for (Viewer* viewer : shared.viewers) viewer->drop();
  }

  void listen() {
    const std::string place = "port " + std::to_string(shared.options.port);
    if (shared.options.port < 0 || shared.options.port > 65535) {
      throw Error(ErrorCode::usage, place, "no such port").expected("0 to 65535");
    }
    Fault fault;
    const auto address = asio::ip::make_address(shared.options.address, fault);
    if (fault || !address.is_loopback()) {
      throw Error(ErrorCode::usage, "address " + printable(shared.options.address), "not a loopback address")
          .hint("the dashboard has no passwords; use 127.0.0.1 or ::1");
    }
    const tcp::endpoint endpoint(address, static_cast<unsigned short>(shared.options.port));
    acceptor.open(endpoint.protocol(), fault);
    if (!fault) acceptor.set_option(asio::socket_base::reuse_address(true), fault);
    if (!fault) acceptor.bind(endpoint, fault);
    if (!fault) acceptor.listen(asio::socket_base::max_listen_connections, fault);
    if (fault == asio::error::address_in_use) {
      throw Error(ErrorCode::usage, place, "busy").hint("choose another with --port, or 0 for any free one");
    }
    if (fault) throw Error(ErrorCode::usage, place, "cannot listen: " + fault.message());
    port = acceptor.local_endpoint().port();
  }

  // Lack of memory ends one connection, not the server.
  void run() {
    while (true) {
      try {
        context.run();
        return;
      } catch (const std::exception&) {
        continue;
      }
    }
  }

  void accept() {
    acceptor.async_accept([this](Fault fault, tcp::socket socket) {
      if (fault == asio::error::operation_aborted) return;
      if (fault) return accept_later();
      auto& connections = shared.connections;
      if (connections.size() >= shared.options.max_connections) {
        connections.front()->drop();
        connections.splice(connections.end(), connections, connections.begin());
      }
      Fault ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<HttpConnection>(shared, std::move(socket))->read();
      accept();
    });
  }

  // Out of file descriptors, most likely: others will be freed.
  void accept_later() {
    retry.expires_after(std::chrono::milliseconds(100));
    retry.async_wait([this](Fault fault) {
      if (!fault) accept();
    });
  }

  void wake() {
    wake_pending = false;
    pump(false);
  }

  void tick() {
    ticker.expires_after(shared.options.status_every);
    ticker.async_wait([this](Fault fault) {
      if (fault) return;
      pump(true);
      tick();
    });
  }

  void pump(bool with_status) {
    for (Viewer* viewer : shared.viewers) viewer->pump(with_status);
  }

  Shared shared;
  std::atomic<bool> wake_pending{false};
  asio::io_context context{1};  // destroyed before `shared`: handlers own connections, which leave its lists
  tcp::acceptor acceptor{context};
  asio::steady_timer ticker{context}, retry{context};
  int port = 0;
  std::thread thread;
};

DashboardServer::DashboardServer(Hub& hub, DashboardOptions options)
    : impl_(std::make_unique<Impl>(hub, std::move(options))) {}
DashboardServer::~DashboardServer() = default;

int DashboardServer::port() const noexcept { return impl_->port; }

std::string DashboardServer::url() const {
  const std::string& address = impl_->shared.options.address;
  const std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return "http://" + host + ":" + std::to_string(port()) + "/";
}

void DashboardServer::stop() noexcept { impl_->stop(); }
std::size_t DashboardServer::viewers() const noexcept { return impl_->shared.viewer_count; }
std::size_t DashboardServer::connections() const noexcept { return impl_->shared.connection_count; }

}  // namespace serene
