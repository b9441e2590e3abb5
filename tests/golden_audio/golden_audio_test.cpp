// Every entry of the audio manifest of the reference vectors, in double and in float.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "golden_functions.h"
#include "serene/io/npy.h"

namespace {

using namespace serene;
using namespace serene::golden;

std::string golden_folder() {
  const char* given = std::getenv("SERENE_GOLDEN");
  return given != nullptr && *given != '\0' ? given : SERENE_SOURCE_DIR "/../shared/golden";
}

struct Tally {
  int entries = 0, informative = 0, failed = 0;
};

template <class S>
void judge(const Manifest& manifest, const Json& entry, const Array& expected, const std::string& precision,
           bool& failed) {
  const std::string name = entry.at("name").get<std::string>();
  Verdict verdict;
  try {
    verdict = compare(run_entry<S>(manifest, entry), expected, entry, precision);
  } catch (const std::exception& e) {
    verdict = {false, false, e.what()};
  }
  if (std::getenv("SERENE_GOLDEN_VERBOSE") != nullptr) {
    std::printf("%-50s %s %s\n", name.c_str(), precision.c_str(), verdict.text.c_str());
  }
  if (!verdict.passed) {
    failed = true;
    FAIL_CHECK(name << " in " << precision << ": " << verdict.text);
  }
}

Tally run_manifest(const std::string& folder) {
  const Manifest manifest(folder);
  Tally tally;
  for (const Json& entry : manifest.root.at("entries")) {
    bool failed = false;
    ++tally.entries;
    tally.informative += is_informative(entry) ? 1 : 0;
    const NpyArray<double> file = read_npy<double>(folder + "/" + entry.at("file").get<std::string>());
    const Array expected{file.shape, file.values};
    judge<double>(manifest, entry, expected, "float64", failed);
    judge<float>(manifest, entry, expected, "float32", failed);
    tally.failed += failed ? 1 : 0;
  }
  return tally;
}

}  // namespace

TEST_CASE("golden audio vectors") {
  const std::string folder = golden_folder() + "/audio";
  if (!std::filesystem::exists(golden_folder())) {
    MESSAGE("skipped: no folder of reference vectors (set SERENE_GOLDEN)");
    return;
  }
  const Tally tally = run_manifest(folder);
  std::printf("golden_audio: %d entries in double and float, %d of them informative, %d failed\n", tally.entries,
              tally.informative, tally.failed);
  CHECK(tally.entries > 0);
  CHECK(tally.failed == 0);
}
