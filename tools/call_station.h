// The dashboard and the history that all calls of this program share. A program built without them
// (-DSERENE_SERVER=OFF) has a station that says so when it is asked for one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "call_player.h"
#include "serene/call/call_record.h"
#include "serene/call/playbook.h"

namespace serene::cli {

// Thread-safe once it is opened.
class CallStation {
 public:
  CallStation();
  ~CallStation();

  // Throws Error(usage) when the port is taken, or the program was built without a dashboard. Returns its address.
  std::string open_dashboard(int port);
  // path "": the usual place; nothing happens when the program was built without a history. Calls that are older than
  // keep_days are erased; 0 keeps them for ever. Throws Error as History does.
  void open_history(const std::string& path, int keep_days);
  bool has_dashboard() const noexcept;
  bool has_history() const noexcept;

  // On the dashboard; nothing happens when there is none. open throws Error(usage) for a name that is taken.
  void open(const CallRecord& call, const std::vector<std::string>& states);
  void publish(const std::string& id, const std::string& line);
  void status(const std::string& id, std::int64_t t_ms, const LatencyFigures& latency);
  void offer_sound(const std::string& id, const CallAudio& audio,
                   std::shared_ptr<const std::atomic<std::int64_t>> played_ms);
  std::vector<CallCommand> commands(const std::string& id);
  void add_document(const std::string& id, const std::string& name, const std::string& type, const std::string& text);
  void close(const std::string& id);

  // In the history; throw Error as History does. Nothing happens when there is none.
  void begin_record(const CallRecord& call);
  bool has_record(const std::string& id);
  // Minutes of angry calls in a row up to now (server/strain.h); 0 without a history.
  double strain_before_min(const Playbook& playbook);
  void append_record(const std::string& id, std::span<const std::string> lines);
  void end_record(const std::string& id, const std::string& reason);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene::cli
