// libtorch's side of the performance suite: inference of a traced network in one process, the lines of bench_worker.
//
//   libtorch_worker FOLDER BATCH THREADS      reads FOLDER/traced.pt and FOLDER/x.npy
#include <ATen/Parallel.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// (batch, frames, features) of a version 1.0 .npy file of float32.
torch::Tensor read_input(const std::string& path, long batch) {
  std::ifstream file(path, std::ios::binary);
  std::string head(10, '\0');
  file.read(head.data(), 10);
  std::string text(static_cast<unsigned char>(head[8]) + 256u * static_cast<unsigned char>(head[9]), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  long clips = 0, frames = 0, features = 0;
  const auto at = text.find("'shape': (");
  if (at == std::string::npos ||
      std::sscanf(text.c_str() + at, "'shape': (%ld, %ld, %ld", &clips, &frames, &features) != 3 || clips < batch) {
    throw std::runtime_error(path + ": not an array of clips");
  }
  torch::Tensor x = torch::empty({batch, frames, features});
  file.read(reinterpret_cast<char*>(x.data_ptr<float>()), batch * frames * features * 4);
  return x;
}

void answer(const std::string& fields) {
  double peak_kib = 0;  // not getrusage's, which begins with the parent's
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> peak_kib;
  }
  std::cout << "{" << fields << ", \"peak_memory_bytes\": " << 1024 * peak_kib << "}" << std::endl;
}

std::string summary(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double q) {
    return seconds[static_cast<std::size_t>(std::max(std::ceil(q * static_cast<double>(seconds.size())), 1.0)) - 1];
  };
  std::ostringstream out;
  out.precision(9);
  out << "\"median_s\": " << at(0.5) << ", \"min_s\": " << seconds.front() << ", \"max_s\": " << seconds.back()
      << ", \"p99_s\": " << at(0.99) << ", \"calls\": " << seconds.size();
  return out.str();
}

int run(const std::string& folder, long batch, int threads) {
  at::set_num_interop_threads(1);
  at::set_num_threads(threads);
  at::globalContext().setFlushDenormal(true);
  const c10::InferenceMode guard;
  torch::jit::Module module = torch::jit::freeze(torch::jit::load(folder + "/traced.pt"));
  const std::vector<torch::jit::IValue> input = {read_input(folder + "/x.npy", batch)};
  answer("\"libtorch\": true");
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("run ", 0) == 0) {
      const double budget = std::atof(line.c_str() + 4);
      module.forward(input);
      std::vector<double> seconds;
      for (const double start = now(); seconds.size() < 3 || now() - start < budget;) {
        const double before = now();
        module.forward(input);
        seconds.push_back(now() - before);
      }
      answer(summary(std::move(seconds)));
    } else {
      const torch::Tensor p = module.forward(input).toTensor().contiguous();
      std::ostringstream list;
      list.precision(9);
      for (long i = 0; i < p.numel(); ++i) list << (i ? ", " : "") << p.data_ptr<float>()[i];
      answer("\"probabilities\": [" + list.str() + "]");
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count != 4) throw std::runtime_error("FOLDER BATCH THREADS are needed");
    return run(words[1], std::atol(words[2]), std::atoi(words[3]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "libtorch_worker: error: %s\n", e.what());
    return 3;
  }
}
