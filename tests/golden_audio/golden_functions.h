// Computes what a manifest entry asks for, from its function and parameters alone.
#pragma once

#include <map>
#include <string>

#include "golden_compare.h"

namespace serene::golden {

struct Manifest {
  std::string folder;
  Json root;                                   // manifest.json
  std::map<std::string, const Json*> by_name;  // entries

  explicit Manifest(const std::string& folder);
  Manifest(const Manifest&) = delete;
};

// S: float or double. Throws Error for a function or a parameter that cannot be served.
template <class S>
Array run_entry(const Manifest& manifest, const Json& entry);

}  // namespace serene::golden
