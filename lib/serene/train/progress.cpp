#include "serene/train/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace serene {

std::string clock_text(double seconds) {
  const long s = std::max(0L, static_cast<long>(seconds + 0.5));
  char text[32];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  }
  return text;
}

bool Progress::terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

Progress::Progress(std::string title, bool quiet)
    : title_(std::move(title)), quiet_(quiet), terminal_(terminal()), start_(Clock::now()) {}

Progress::~Progress() {
  if (open_) std::fputc('\n', stderr);
}

void Progress::draw(const std::string& line) {
  if (terminal_) {
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void Progress::update(std::size_t done, std::size_t total, const std::string& note) {
  if (quiet_ || total == 0) return;
  const auto now = Clock::now();
  const std::size_t tenth = done * 10 / total;
  const bool due = terminal_ ? (done == total || now - drawn_ > std::chrono::milliseconds(100)) : tenth > tenth_;
  if (!due) return;
  tenth_ = tenth;
  drawn_ = now;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const double spent = std::chrono::duration<double>(now - start_).count();
  const double left = share > 0 ? spent / share - spent : 0;
  constexpr int width = 24;
  std::string bar;
  if (terminal_) {
    const int full = static_cast<int>(share * width);
    bar = " [" + std::string(static_cast<std::size_t>(full), '#') +
          std::string(static_cast<std::size_t>(width - full), '.') + "]";
  }
  char percent[16];
  std::snprintf(percent, sizeof percent, " %3.0f %%", 100 * share);
  draw(title_ + bar + percent + " " + std::to_string(done) + "/" + std::to_string(total) + ", " + clock_text(left) +
       " left" + (note.empty() ? "" : ", " + note));
}

void Progress::finish(const std::string& line) {
  if (quiet_) return;
  if (terminal_ && open_) std::fprintf(stderr, "\r\033[K");
  open_ = false;
  if (!line.empty()) std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
}

}  // namespace serene
