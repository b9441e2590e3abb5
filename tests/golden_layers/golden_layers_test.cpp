// Runs every case of $SERENE_GOLDEN/layers/manifest.json in double and in float, each at its own tolerance.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "golden_case.h"

namespace serene::golden {
namespace {

std::filesystem::path golden_folder() {
  const char* named = std::getenv("SERENE_GOLDEN");
  if (named != nullptr && *named != '\0') return named;
  return std::filesystem::path(SERENE_SOURCE_DIR) / ".." / "shared" / "golden";
}

template <class S>
bool run_case(const GoldenCase& c, void (*run)(const GoldenCase&, GoldenCheck<S>&), double& worst_share) {
  GoldenCheck<S> check(c);
  try {
    run(c, check);
  } catch (const std::exception& e) {
    check.fail(e.what());
  }
  worst_share = std::max(worst_share, check.worst_share());
  const char* precision = sizeof(S) == 8 ? "double" : "float";
  CHECK_MESSAGE(check.passed(), c.name << " in " << precision << ": " << check.message());
  return check.passed();
}

}  // namespace

TEST_CASE("every layer case of the reference vectors, in double and in float") {
  const std::filesystem::path folder = golden_folder() / "layers";
  if (!std::filesystem::exists(golden_folder())) {
    MESSAGE("skipped: no folder " << golden_folder().string() << " (set SERENE_GOLDEN)");
    return;
  }
  const Json manifest = read_json_file((folder / "manifest.json").string());
  REQUIRE(manifest.at("cases").size() > 0);

  struct Count {
    int total = 0, passed = 0;
  };
  std::map<std::string, Count> counts;
  double worst_double = 0, worst_float = 0;
  for (const Json& entry : manifest.at("cases")) {
    const auto op = entry.at("op").get<std::string>();
    Count& count = counts[op];
    ++count.total;
    const auto runner = runners().find(op);
    if (runner == runners().end()) {
      FAIL_CHECK(entry.at("case").get<std::string>() << ": nothing here runs the operation " << op);
      continue;
    }
    try {
      const GoldenCase c = load_case(entry, folder.string());
      const bool in_double = run_case<double>(c, runner->second.in_double, worst_double);
      const bool in_float = run_case<float>(c, runner->second.in_float, worst_float);
      if (in_double && in_float) ++count.passed;
    } catch (const std::exception& e) {
      FAIL_CHECK(entry.at("case").get<std::string>() << ": " << e.what());
    }
  }
  int total = 0, passed = 0;
  for (const auto& [op, count] : counts) {
    MESSAGE(op << ": " << count.passed << " of " << count.total);
    total += count.total;
    passed += count.passed;
  }
  MESSAGE(passed << " of " << total << " cases in double and float; used at most " << 100 * worst_double << " % and "
                 << 100 * worst_float << " % of the tolerances");
  CHECK(passed == total);
}

}  // namespace serene::golden
