// The command line of `serene call`, checked: what is to be played, how, and where it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serene/audio/telephone.h"
#include "serene/core/gemm.h"

namespace serene::cli {

enum class CallKind { scenarios, two_files, stereo_file, customer_file, microphone, replay };

struct CallOptions {
  CallKind input = CallKind::scenarios;
  std::vector<std::string> files;  // scenarios; customer and agent; one recording; recorded events
  int customer_channel = 0;

  std::string model, config, playbook;  // files; config "": the defaults
  std::vector<std::string> overrides;   // key=value of the config
  Precision precision = Precision::full;
  std::string consent = "assumed";          // assumed, required, off
  std::optional<double> strain_before_min;  // nullopt: what the history tells

  double speed = 1;  // 0: as fast as it goes
  std::optional<std::uint64_t> seed;
  std::optional<TelephoneConfig> telephone;
  std::string data;
  int threads = 1;

  bool headless = false, quiet = false;
  bool web = false, keep_open = false;
  int port = 8040;
  double hold_s = 0;

  std::string out;  // folder; "": runs/calls/ID; "off": none
  bool keep_history = true;
  std::string history;  // file; "": the usual one
  int keep_days = 30;   // 0: for ever
  bool report = true, keep_audio = false;
  std::string id;  // "": made of the time and the title

  bool replays() const { return input == CallKind::replay; }
};

// Throws Error(usage) naming the option, or Error(not_found) naming the places where model and playbook were looked
// for. nullopt: --help was asked for and printed.
std::optional<CallOptions> call_options(int argc, char** argv);

}  // namespace serene::cli
