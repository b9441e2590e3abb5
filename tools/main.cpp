// serene: train, evaluate and run speech emotion models from the command line.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "command.h"
#include "serene/core/gemm.h"
#include "serene/version.h"

namespace {

using serene::ErrorCode;
using serene::cli::Command;

constexpr Command kCommands[] = {
    {"train", "Train a model from a config; writes a run folder with checkpoints and a report", serene::cli::train_command},
    {"evaluate", "Score a trained model on its test part, a manifest or a protocol", serene::cli::evaluate_command},
    {"crossval", "Cross-validate a config over the folds of a protocol and several seeds", serene::cli::crossval_command},
    {"predict", "Tell the emotion of audio files", serene::cli::predict_command},
    {"inspect", "Show a model's or config's layers, shapes, parameters, memory and work", serene::cli::inspect_command},
    {"features", "Write the features of audio files as .npy", serene::cli::features_command},
    {"data", "Check a corpus, list it as a manifest, show its splits", serene::cli::data_command},
};

void help(std::FILE* to) {
  std::fputs("serene: speech emotion recognition engine\n\nUsage: serene COMMAND [OPTIONS]\n\nCommands:\n", to);
  for (const Command& c : kCommands) std::fprintf(to, "  %-10s %s\n", c.name, c.summary);
  std::fputs("\nserene COMMAND --help explains a command. serene --version shows the version.\n"
             "Exit codes: 0 done, 1 usage, 2 bad input, 3 internal error.\n", to);
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage: return 1;
    case ErrorCode::input:
    case ErrorCode::not_found:
    case ErrorCode::divergence: return 2;
    case ErrorCode::internal: return 3;
  }
  return 3;
}

int run(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "";
  if (std::strcmp(name, "--help") == 0 || std::strcmp(name, "-h") == 0 || std::strcmp(name, "help") == 0) return help(stdout), 0;
  if (std::strcmp(name, "--version") == 0) return std::printf("serene %s (%s kernels)\n", SERENE_VERSION, serene::cpu_kernels()), 0;
  for (const Command& c : kCommands) {
    if (std::strcmp(name, c.name) == 0) return c.run(argc - 1, argv + 1);
  }
  if (*name != 0) std::fprintf(stderr, "serene: no command '%s'\n", serene::printable(name).c_str());
  help(stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that closes the pipe shows as a failed write, which is reported like any other.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const serene::Error& e) {
    std::fprintf(stderr, "serene: %s\n", e.what());
    return exit_code(e.code());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "serene: out of memory\n");
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "serene: internal error: %s\n", serene::printable(e.what(), 500).c_str());
    return 3;
  }
}
