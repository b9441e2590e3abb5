#include "support/machine.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "serene/core/gemm.h"
#include "serene/core/thread_pool.h"

namespace serene::bench {
namespace {

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;  // begins with its name
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

double load_average() {
  double load[1] = {0};
  return getloadavg(load, 1) == 1 ? load[0] : 0.0;
}

}  // namespace

Json machine() {
  return {{"cpu", processor_name()},
          {"cores", available_threads()},
          {"kernels", cpu_kernels()},
          {"compiler", kCompiler},
          {"load_average", load_average()}};
}

std::string machine_line() {
  const Json m = machine();
  return m["cpu"].get<std::string>() + ", " + std::to_string(m["cores"].get<int>()) + " cores, kernels " +
         m["kernels"].get<std::string>() + ", compiler " + m["compiler"].get<std::string>() + ", load " +
         m["load_average"].dump();
}

Json model_strong() { return read_json_file(SERENE_CONFIGS_DIR "/model_strong.json").at("model"); }

}  // namespace serene::bench
