// What becomes of a call's events: screen, dashboard, file, history, and after the call its report.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "call_station.h"
#include "call_view.h"
#include "serene/call/call_audio.h"
#include "serene/call/call_config.h"
#include "serene/call/call_record.h"

namespace serene::cli {

struct RecorderTargets {
  CallView* view = nullptr;
  CallStation* station = nullptr;
  std::string folder;  // "": no files
  bool report = true;
};

// Belongs to the thread that plays the call. A file or a history that fails is one remark; the call goes on.
class CallRecorder : public CallOutlet {
 public:
  // Throws Error when the call cannot be opened: its folder, its name.
  CallRecorder(const CallHeader& header, Json truth, RecorderTargets targets);
  ~CallRecorder() override;

  void event(const Json& event, const std::string& line) override;
  void tick(std::int64_t t_ms) override;
  void status(std::int64_t t_ms, const LatencyFigures& latency) override;
  std::vector<CallCommand> commands() override;

  // The dashboard may hear what has been played of these legs.
  void offer_sound(const CallAudio& audio);
  // After the last event: report and documents. audio: of a simulated call, for its truth; or nullptr. groups: states
  // of the model.
  void finish(const LatencyFigures& latency, const CallAudio* audio, const std::vector<StateGroup>& groups);
  // Something that belongs to the record could not be kept.
  bool failed() const { return failed_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void problem(const std::string& what);
  void write_events(const std::string& line);
  void flush_history(bool last);
  void keep(const std::string& name, const std::string& type, const std::string& text);

  CallRecord record_;
  RecorderTargets targets_;
  std::size_t seen_as_ = 0;
  std::unique_ptr<std::FILE, Closer> file_;
  std::size_t in_history_ = 0;  // lines that the history has
  std::chrono::steady_clock::time_point flushed_{};
  std::shared_ptr<std::atomic<std::int64_t>> played_ms_;
  bool in_history_still_ = true, failed_ = false;
};

}  // namespace serene::cli
