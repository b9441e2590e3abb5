#include "command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "serene/core/thread_pool.h"

namespace serene::cli {

Arguments::Arguments(const std::string& name, const std::string& summary, const std::string& usage)
    : name_(name), options_("serene " + name, summary) {
  options_.custom_help("[OPTIONS]").positional_help(usage).set_width(110);
  options_.add_options()("h,help", "Show this help");
  options_.add_options("hidden")("args", "", cxxopts::value<std::vector<std::string>>());
}

void Arguments::add_common() {
  options_.add_options("Common")
      ("threads", "Threads; results do not depend on it", cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N")
      ("data", "Folder that holds the corpora (else $SERENE_DATA, ../shared/data, ./data)", cxxopts::value<std::string>()->default_value(""), "DIR")
      ("cache", "Folder of cached features; \"off\" keeps none (else ~/.cache/serene)", cxxopts::value<std::string>()->default_value(""), "DIR")
      ("q,quiet", "No progress on stderr");
}

bool Arguments::parse(int argc, char** argv) {
  try {
    options_.parse_positional({"args"});
    result_ = options_.parse(argc, argv);
  } catch (const std::exception& e) {
    throw Error(ErrorCode::usage, "serene " + name_, printable(e.what(), 300)).hint("see serene " + name_ + " --help");
  }
  if (!has("help")) return true;
  std::vector<std::string> groups;
  for (const std::string& group : options_.groups()) {
    if (group != "hidden") groups.push_back(group);
  }
  std::string text = options_.help(groups);
  if (!examples_.empty()) text += "\nExamples:\n";
  for (const std::string& line : examples_) text += "  " + line + "\n";
  print(text);
  return false;
}

std::vector<std::string> Arguments::positional() const {
  return has("args") ? get<std::vector<std::string>>("args") : std::vector<std::string>{};
}

int Arguments::threads() const {
  const int n = get<int>("threads");
  if (n < 1 || n > 1024) throw Error(ErrorCode::usage, "--threads", "out of range").expected("1..1024").got(std::to_string(n));
  return n;
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorCode::input, "stdout", std::strerror(errno));
  }
}

void remark(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

}  // namespace serene::cli
