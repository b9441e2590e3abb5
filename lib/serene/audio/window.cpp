#include "serene/audio/window.h"

#include <cmath>
#include <numbers>

#include "serene/core/error.h"

namespace serene {
namespace {

// Sum of cosines sum_k (-1)^k a_k cos(k x), x from 0 to 2 pi.
const std::vector<double>* cosine_terms(const std::string& name) {
  static const std::vector<double> hann{0.5, 0.5}, hamming{0.54, 0.46}, blackman{0.42, 0.5, 0.08},
      nuttall{0.3635819, 0.4891775, 0.1365995, 0.0106411}, blackmanharris{0.35875, 0.48829, 0.14128, 0.01168};
  if (name == "hann") return &hann;
  if (name == "hamming") return &hamming;
  if (name == "blackman") return &blackman;
  if (name == "nuttall") return &nuttall;
  if (name == "blackmanharris") return &blackmanharris;
  return nullptr;
}

}  // namespace

const std::vector<std::string>& window_names() {
  static const std::vector<std::string> names{"hann",           "hamming",  "blackman", "nuttall",
                                              "blackmanharris", "bartlett", "boxcar"};
  return names;
}

std::vector<double> make_window(const std::string& name, Index length, bool periodic) {
  if (length < 1) {
    throw Error(ErrorCode::usage, "window", "wrong length").expected("at least 1").got(std::to_string(length));
  }
  std::vector<double> w(static_cast<std::size_t>(length), 1.0);
  if (name == "boxcar" || name == "ones" || name == "rectangular" || length == 1) return w;
  const double span = static_cast<double>(periodic ? length : length - 1);
  const std::vector<double>* terms = cosine_terms(name);
  if (terms == nullptr && name != "bartlett") {
    throw Error(ErrorCode::usage, "window", "unknown window")
        .expected("hann, hamming, blackman, nuttall, blackmanharris, bartlett or boxcar")
        .got(printable(name));
  }
  for (std::size_t n = 0; n < w.size(); ++n) {
    const double x = static_cast<double>(n) / span;
    if (terms == nullptr) {
      w[n] = 1 - std::abs(2 * x - 1);
      continue;
    }
    double sum = 0, sign = 1;
    for (std::size_t k = 0; k < terms->size(); ++k, sign = -sign) {
      sum += sign * (*terms)[k] * std::cos(2 * std::numbers::pi * static_cast<double>(k) * x);
    }
    w[n] = sum;
  }
  return w;
}

}  // namespace serene
