// What every measuring program does around its work: errors in one line, exit code 3.
#pragma once

#include <cstdio>
#include <exception>

namespace serene::bench {

inline int bench_main(const char* name, int count, char** arguments, int (*run)(int, char**)) {
  try {
    return run(count, arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: error: %s\n", name, e.what());
    return 3;
  }
}

}  // namespace serene::bench
