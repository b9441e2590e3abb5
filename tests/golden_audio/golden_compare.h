// How a computed array is judged against a reference array: the kinds of tolerance of the reference manifest.
#pragma once

#include <string>
#include <vector>

#include "serene/core/json.h"

namespace serene::golden {

struct Array {
  std::vector<Index> shape;
  std::vector<double> values;
};

struct Verdict {
  bool passed = false;
  bool informative = false;  // the manifest asks for no judgement
  std::string text;          // what was measured
};

// entry: the manifest's entry (tolerance, params); precision: "float64" or "float32". An unknown kind of tolerance
// fails.
Verdict compare(const Array& got, const Array& expected, const Json& entry, const std::string& precision);

// True when the entry's tolerance says that it is for information only.
bool is_informative(const Json& entry);

}  // namespace serene::golden
