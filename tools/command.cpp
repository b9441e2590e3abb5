#include "command.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

#include "serene/core/thread_pool.h"
#include "serene/nn/inference_model.h"

namespace serene::cli {
namespace {

// A text option that stands for "choose yourself" when it is not given; the help shows what is chosen.
std::shared_ptr<cxxopts::Value> text_option(const std::string& chosen) {
  return cxxopts::value<std::string>()->default_value(chosen);
}

// cxxopts names a value that does not parse, but not its option: " --threads" for "Argument 'many' failed to parse".
std::string option_of_value(int argc, char** argv, const std::string& problem) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) continue;
    const std::size_t equals = word.find('=');
    const std::string value = equals != std::string::npos ? word.substr(equals + 1) : i + 1 < argc ? argv[i + 1] : "";
    if (!value.empty() && problem.starts_with("Argument ") && problem.find(value) != std::string::npos) {
      return " " + printable(word.substr(0, equals));
    }
  }
  return "";
}

}  // namespace

Arguments::Arguments(const std::string& name, const std::string& summary, const std::string& usage)
    : name_(name), options_("serene " + name, summary) {
  options_.custom_help("[OPTIONS]").positional_help(usage).set_width(110);
  options_.add_options()("h,help", "Show this help");
  options_.add_options("hidden")("args", "", cxxopts::value<std::vector<std::string>>());
}

void Arguments::add_common() {
  options_.add_options("Common")("threads", "Threads; results do not depend on it",
                                 cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N")(
      "data", "Folder that holds the corpora", text_option("$SERENE_DATA, ../shared/data or ./data"), "DIR")(
      "cache", "Folder of cached features; \"off\" keeps none", text_option("~/.cache/serene"), "DIR")(
      "q,quiet", "No progress on stderr");
}

void Arguments::add_precision(const std::string& group) {
  options_.add_options(group)(
      "precision",
      "Numbers in the model's products: full (float32), or bf16 or int8: faster where the processor "
      "has instructions for them, a little less exact (serene inspect --compare)",
      cxxopts::value<std::string>()->default_value("full"), "NAME");
}

bool Arguments::parse(int argc, char** argv) {
  try {
    options_.parse_positional({"args"});
    result_ = options_.parse(argc, argv);
  } catch (const std::exception& e) {
    throw Error(ErrorCode::usage, "serene " + name_ + option_of_value(argc, argv, e.what()), printable(e.what(), 300))
        .hint("see serene " + name_ + " --help");
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
  if (n < 1 || n > 1024)
    throw Error(ErrorCode::usage, "--threads", "out of range").expected("1..1024").got(std::to_string(n));
  return n;
}

void make_folder(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) throw Error(ErrorCode::input, printable(path, 500), "cannot make the folder: " + failed.message());
}

bool is_folder(const std::string& path) {
  std::error_code unseen;
  return std::filesystem::is_directory(path, unseen);
}

std::string model_file(const std::string& path) {
  if (!is_folder(path)) return path;
  const std::string file = path + "/best.safetensors";
  std::error_code unseen;
  if (!std::filesystem::exists(file, unseen)) {
    throw Error(ErrorCode::not_found, path, "holds no trained model: there is no best.safetensors");
  }
  return file;
}

Precision precision_option(const Arguments& args) {
  const auto name = args.get<std::string>("precision");
  try {
    return parse_precision(name);
  } catch (const Error&) {
    throw Error(ErrorCode::usage, "--precision", "unknown").expected("full, bf16 or int8").got(printable(name, 40));
  }
}

namespace {

template <class T>
std::vector<T> list_of(const std::string& option, const std::string& text) {
  std::vector<T> list;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    T value = 0;
    const auto read = std::from_chars(at, end, value);
    if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ',')) {
      throw Error(ErrorCode::usage, option, "not a list of numbers").expected("such as 0,2").got(printable(text, 80));
    }
    list.push_back(value);
    if (read.ptr == end) return list;
    at = read.ptr + 1;
  }
}

}  // namespace

std::vector<int> int_list(const std::string& option, const std::string& text) { return list_of<int>(option, text); }

std::vector<double> number_list(const std::string& option, const std::string& text) {
  return list_of<double>(option, text);
}

namespace {

bool silent = false;

}  // namespace

void be_silent() noexcept { silent = true; }

void print(const std::string& text) {
  if (silent) return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorCode::input, "stdout", std::strerror(errno));
  }
}

void remark(const std::string& line) {
  if (!silent) std::fprintf(stderr, "%s\n", line.c_str());
}

int exit_code(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return 1;
    case ErrorCode::input:
    case ErrorCode::not_found:
    case ErrorCode::divergence:
      return 2;
    case ErrorCode::internal:
      return 3;
  }
  return 3;
}

int report_exception() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    std::fprintf(stderr, "serene: %s\n", e.what());
    return exit_code(e.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "serene: out of memory\n");
    return 2;
  } catch (const std::filesystem::filesystem_error& e) {
    std::fprintf(stderr, "serene: %s: %s\n", printable(e.path1().string(), 500).c_str(), e.code().message().c_str());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "serene: internal error: %s\n", printable(e.what(), 500).c_str());
    return 3;
  }
}

}  // namespace serene::cli
