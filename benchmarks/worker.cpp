// serene's side of the performance suite (performance.py): one kind of work in one process.
//
//   bench_worker training|inference|peak [--batch N] [--frames N] [--threads N] [--precision full|bf16|int8]
//   bench_worker first FOLDER       prints the first probability of the case's first sample and ends
//   bench_worker write-case FOLDER  writes the weights and inputs that all sides share (support/strong_model.h)
//
// The first three prepare, print a line of JSON about themselves, and then answer lines of standard input, each by a
// line of JSON: "run SECONDS" repeats the work for that long and tells the seconds of one call, "probabilities" tells
// what inference answers, end of input ends. Every answer has the largest memory of the process so far.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "serene/call/recognizer.h"
#include "serene/core/gemm.h"
#include "serene/io/npy.h"
#include "support/bench_main.h"
#include "support/fma_peak.h"
#include "support/machine.h"
#include "support/measure.h"
#include "support/passes.h"

namespace serene::bench {
namespace {

struct Arguments {
  std::string work, folder, precision = "full";
  Index batch = 1, frames = kFrames;
  int threads = 1;
};

Arguments parse(int count, char** words) {
  Arguments a;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= count) throw Error(ErrorCode::usage, word, "needs a value");
      return words[++i];
    };
    if (word == "--batch") a.batch = std::atol(value().c_str());
    else if (word == "--frames") a.frames = std::atol(value().c_str());
    else if (word == "--threads") a.threads = std::atoi(value().c_str());
    else if (word == "--precision") a.precision = value();
    else if (a.work.empty()) a.work = word;
    else if (a.folder.empty()) a.folder = word;
    else throw Error(ErrorCode::usage, word, "unknown argument");
  }
  if (a.batch < 1 || a.batch > 4096 || a.frames < 8 || a.frames > 100000 || a.threads < 1) {
    throw Error(ErrorCode::usage, "bench_worker", "batch, frames or threads out of range");
  }
  return a;
}

void answer(Json line) {
  line["peak_memory_bytes"] = peak_memory();
  std::cout << line.dump() << std::endl;
}

// Answers lines until the input ends. body: one call; more: other commands, empty for none.
void serve(const std::function<void()>& body, const std::function<Json()>& probabilities) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    double seconds = 0;
    words >> command >> seconds;
    if (command == "run") answer(to_json(repeat(seconds, 3, body)));
    else if (command == "probabilities" && probabilities) answer({{"probabilities", probabilities()}});
    else throw Error(ErrorCode::usage, line, "unknown command");
  }
}

void training(const Arguments& a) {
  const StrongModel strong;
  TrainingPass pass(strong.model, strong.params, a.batch, a.frames, a.threads, precision_of(a.precision));
  answer({{"planned_bytes", pass.bytes()}, {"flops", training_flops(strong.model, a.frames)}});
  serve([&] { pass.step(); }, nullptr);
}

void inference(const Arguments& a) {
  const StrongModel strong;
  InferencePass pass(strong.model, strong.params, strong_input(a.batch, a.frames), a.batch, a.frames, a.threads,
                     precision_of(a.precision));
  answer({{"planned_bytes", pass.bytes()}, {"flops", inference_flops(strong.model, a.frames)}});
  serve([&] { pass.run(); },
        [&] {
          pass.run();
          return Json(pass.probabilities());
        });
}

// The rate of all threads together, each busy with nothing but multiply-adds.
void peak(const Arguments& a) {
  answer({{"kernels", cpu_kernels()}, {"machine", machine()}});
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<FmaPeak> peaks(static_cast<std::size_t>(a.threads));
    std::vector<std::thread> threads;
    for (FmaPeak& p : peaks) threads.emplace_back([&p] { p = fma_peak(); });
    for (std::thread& t : threads) t.join();
    double sum = 0;
    for (const FmaPeak& p : peaks) sum += p.gflops;
    answer({{"gflops", sum}, {"how", peaks[0].how}});
  }
}

// Everything between the start of the process and its first answer, from the files that a user would have.
void first(const Arguments& a) {
  const Recognizer recognizer = Recognizer::open(a.folder + "/model.safetensors");
  const NpyArray<float> x = read_npy<float>(a.folder + "/first.npy");
  FeatureMatrix features;
  features.frames = x.shape.at(1), features.dim = x.shape.at(2), features.values = x.values;
  answer({{"probabilities", recognizer.recognize_features(features).probabilities}});
}

int run(int count, char** words) {
  const Arguments a = parse(count, words);
  if (a.work == "training") training(a);
  else if (a.work == "inference") inference(a);
  else if (a.work == "peak") peak(a);
  else if (a.work == "first" && !a.folder.empty()) first(a);
  else if (a.work == "write-case" && !a.folder.empty()) write_case(a.folder);
  else throw Error(ErrorCode::usage, "bench_worker", "training, inference, peak, first FOLDER or write-case FOLDER");
  return 0;
}

}  // namespace
}  // namespace serene::bench

int main(int count, char** words) {
  return serene::bench::bench_main("bench_worker", count, words, serene::bench::run);
}
