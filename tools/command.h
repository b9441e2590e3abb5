// The subcommands of the program serene and what they share.
//
// Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 1 usage, 2 bad input, 3 internal error.
#pragma once

// A list option takes one value each time it is given: file names and JSON values may hold commas.
#define CXXOPTS_VECTOR_DELIMITER '\0'
// Its regular expressions are compiled at every start of the program, before main, once for each file that includes it.
#define CXXOPTS_NO_REGEX true
#include <cxxopts.hpp>
#include <string>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/gemm.h"

namespace serene::cli {

struct Command {
  const char* name;
  const char* summary;                // one line for `serene --help`
  int (*run)(int argc, char** argv);  // argv[0] is the subcommand; throws serene::Error
};

int train_command(int argc, char** argv);
int evaluate_command(int argc, char** argv);
int crossval_command(int argc, char** argv);
int sweep_command(int argc, char** argv);
int ensemble_command(int argc, char** argv);
int predict_command(int argc, char** argv);
int inspect_command(int argc, char** argv);
int export_command(int argc, char** argv);
int import_command(int argc, char** argv);
int features_command(int argc, char** argv);
int augment_command(int argc, char** argv);
int data_command(int argc, char** argv);
int call_command(int argc, char** argv);
int calls_command(int argc, char** argv);  // with the history alone (SERENE_WITH_SERVER)

// Options of a subcommand with --help. `usage` is the line after "serene <name> "; `examples` end the help text.
class Arguments {
 public:
  Arguments(const std::string& name, const std::string& summary, const std::string& usage);

  cxxopts::OptionAdder add(const std::string& group = "") { return options_.add_options(group); }
  // --threads, --data, --cache, --quiet
  void add_common();
  // --precision of the model's products
  void add_precision(const std::string& group = "");
  void example(const std::string& line) { examples_.push_back(line); }

  // Parses; positional arguments end in the option "args". Returns false when --help was asked for and printed.
  // Throws Error(usage) for an unknown option or a broken value.
  bool parse(int argc, char** argv);

  const cxxopts::ParseResult& operator*() const { return result_; }
  bool has(const std::string& name) const { return result_.count(name) > 0; }
  template <class T>
  T get(const std::string& name) const {
    return result_[name].as<T>();
  }
  std::vector<std::string> positional() const;
  int threads() const;
  // --data and --cache; "" when not given: the library looks for itself.
  std::string data() const { return has("data") ? get<std::string>("data") : ""; }
  std::string cache() const { return has("cache") ? get<std::string>("cache") : ""; }
  bool quiet() const { return has("quiet"); }

 private:
  std::string name_;
  cxxopts::Options options_;
  cxxopts::ParseResult result_;
  std::vector<std::string> examples_;
};

// The file of the model that `path` names: best.safetensors of a run folder, or the path itself.
std::string model_file(const std::string& path);
void make_folder(const std::string& path);  // and those above; throws Error(input)
bool is_folder(const std::string& path);    // false too when it cannot be looked at

// "1,0.5" -> {1, 0.5}. Throws Error(usage) that names the option.
std::vector<double> number_list(const std::string& option, const std::string& text);
// "0,2" -> {0, 2}. Throws Error(usage) that names the option.
std::vector<int> int_list(const std::string& option, const std::string& text);

// The value of --precision; full when it is not given. Throws Error(usage) that lists the formats.
Precision precision_option(const Arguments& args);

// Writes text to stdout; throws Error(input) when that fails (a full disk, a closed pipe).
void print(const std::string& text);
void remark(const std::string& line);  // one line on stderr
// From now on print() and remark() do nothing: another process speaks for this one (ranks.h).
void be_silent() noexcept;

int exit_code(ErrorCode code) noexcept;
// Inside a catch block: tells the exception in one line on stderr. Returns the exit code.
int report_exception() noexcept;

}  // namespace serene::cli
