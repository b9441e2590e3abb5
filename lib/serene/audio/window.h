// Analysis windows, as scipy.signal.get_window names them.
#pragma once

#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// `length` values of the window: "hann", "hamming", "blackman", "nuttall", "blackmanharris", "bartlett" or "boxcar"
// (also "ones", "rectangular"). periodic: for Fourier analysis (divides by length), else symmetric (by length - 1).
// Throws Error for an unknown name or length < 1.
std::vector<double> make_window(const std::string& name, Index length, bool periodic = true);

// The names above, without the synonyms.
const std::vector<std::string>& window_names();

}  // namespace serene
