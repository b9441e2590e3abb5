// serene: train, evaluate and run speech emotion models from the command line.
#include <csignal>
#include <string>

#include "command.h"
#include "serene/core/gemm.h"
#include "serene/eval/text_table.h"
#include "serene/version.h"

namespace {

using serene::ErrorCode;
using serene::cli::Command;

constexpr Command kCommands[] = {
    {"train", "Train a model from a config; writes a run folder with checkpoints and a report",
     serene::cli::train_command},
    {"evaluate", "Score a trained model on its test part, a manifest or a protocol", serene::cli::evaluate_command},
    {"crossval", "Cross-validate a config over the folds of a protocol and several seeds",
     serene::cli::crossval_command},
    {"sweep", "Search hyper-parameters by validation speakers; resumable, with a report", serene::cli::sweep_command},
    {"ensemble", "Join trained models into one that answers with their mean", serene::cli::ensemble_command},
    {"predict", "Tell the emotion of audio files", serene::cli::predict_command},
    {"inspect", "Show a model's or config's layers, shapes, parameters, memory and work", serene::cli::inspect_command},
    {"export", "Write a model for other programs: ONNX, or weights for PyTorch", serene::cli::export_command},
    {"import", "Make a model of weights that Keras or PyTorch trained", serene::cli::import_command},
    {"features", "Write the features of audio files as .npy", serene::cli::features_command},
    {"augment", "Let augmentation be heard and seen: examples, pictures and a page", serene::cli::augment_command},
    {"data", "Check a corpus, list it as a manifest, show its splits", serene::cli::data_command},
    {"call", "Play a call and tell how the customer feels, as it happens", serene::cli::call_command},
#ifdef SERENE_WITH_SERVER
    {"calls", "List, show, export, erase and sum up the calls that were kept", serene::cli::calls_command},
#endif
};

std::string help() {
  std::string text = "serene: speech emotion recognition engine\n\nUsage: serene COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command& c : kCommands) text += "  " + serene::pad_right(c.name, 10) + " " + c.summary + "\n";
  return text +
         "\nserene COMMAND --help explains a command. serene --version shows the version.\n"
         "Exit codes: 0 done, 1 usage, 2 bad input, 3 internal error.\n";
}

std::string names_of_commands() {
  std::string text;
  for (const Command& c : kCommands) text += (text.empty() ? "" : ", ") + std::string(c.name);
  return text;
}

int run(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") return serene::cli::print(help()), 0;
  if (name == "--version") {
    serene::cli::print(std::string("serene ") + SERENE_VERSION + " (" + serene::cpu_kernels() + " kernels)\n");
    return 0;
  }
  for (const Command& c : kCommands) {
    if (name == c.name) return c.run(argc - 1, argv + 1);
  }
  const std::string problem = name.empty() ? "a command is needed" : "no command '" + serene::printable(name) + "'";
  throw serene::Error(ErrorCode::usage, "", problem).expected(names_of_commands()).hint("see serene --help");
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that closes the pipe shows as a failed write, which is reported like any other.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (...) {
    return serene::cli::report_exception();
  }
}
