// Progress of long work on stderr: one redrawn line with a bar and the time left on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace serene {

class Progress {
 public:
  // title: what is being done ("extracting features"). Draws nothing until the first update. quiet: never draws
  // anything.
  explicit Progress(std::string title, bool quiet = false);
  ~Progress();  // ends an open line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done of total; note: live figures behind the bar ("loss 1.234"). Drawn at most ten times a second; in plain form
  // only when a tenth more is done. Not thread-safe: one caller at a time.
  void update(std::size_t done, std::size_t total, const std::string& note = "");
  // Replaces the bar by a line that stays.
  void finish(const std::string& line = "");

  static bool terminal();  // stderr is one, and TERM is not "dumb"

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const std::string& line);

  std::string title_;
  bool quiet_, terminal_, open_ = false;
  Clock::time_point start_, drawn_;
  std::size_t tenth_ = 0;
};

// 75 -> "1:15", 3700 -> "1:01:40".
std::string clock_text(double seconds);

}  // namespace serene
