#include "golden_compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace serene::golden {
namespace {

std::string format(const char* pattern, double a, double b) {
  char text[200];
  std::snprintf(text, sizeof text, pattern, a, b);
  return text;
}

std::string note_of(const Json& tolerance) { return tolerance.value("note", std::string()); }

// Largest |a - b| as a share of what is allowed (below or at 1 passes). "mfcc_atol (elements 13..32)" and its like give
// a range of elements an absolute limit of its own.
Verdict elementwise(const Array& got, const Array& want, const Json& limits) {
  const double rtol = limits.value("rtol", 0.0), atol = limits.value("atol", 0.0);
  std::vector<double> floor(want.values.size(), atol);
  for (const auto& [key, value] : limits.items()) {
    const std::size_t at = key.find("(elements ");
    int first = 0, last = -1;
    if (at == std::string::npos || key.find("atol") == std::string::npos) continue;
    if (std::sscanf(key.c_str() + at, "(elements %d..%d)", &first, &last) != 2) continue;
    for (int i = first; i <= last && i < static_cast<int>(floor.size()); ++i) {
      floor[static_cast<std::size_t>(i)] = std::max(atol, value.get<double>());
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    const double difference = std::abs(got.values[i] - want.values[i]);
    const double allowed = floor[i] + rtol * std::abs(want.values[i]);
    const double share = difference == 0 ? 0 : std::isfinite(difference) ? difference / allowed : HUGE_VAL;
    worst = std::max(worst, share);
  }
  return {worst <= 1, false, format("%.3g of the tolerance", worst, 0)};
}

Verdict share_within(const Array& got, const Array& want, double limit, double wanted_share) {
  double inside = 0;
  for (std::size_t i = 0; i < want.values.size(); ++i)
    inside += std::abs(got.values[i] - want.values[i]) <= limit ? 1 : 0;
  const double share = want.values.empty() ? 1 : inside / static_cast<double>(want.values.size());
  return {share >= wanted_share, false, format("%.4f of the elements within %.3g", share, limit)};
}

Verdict signal_to_noise(const Array& got, const Array& want, double limit_db, std::size_t skip) {
  double signal = 0, noise = 0;
  for (std::size_t i = skip; i + skip < want.values.size(); ++i) {
    signal += want.values[i] * want.values[i];
    noise += (got.values[i] - want.values[i]) * (got.values[i] - want.values[i]);
  }
  const double db = noise > 0 ? 10 * std::log10(signal / noise) : noise == 0 ? 999 : -999;
  return {db >= limit_db, false, format("SNR %.1f dB (limit %.0f)", db, limit_db)};
}

Verdict peak(const Array& got, double limit_dbfs) {
  double top = 0;
  for (const double v : got.values) top = std::max(top, std::abs(v));
  const double dbfs = 20 * std::log10(std::max(top, 1e-12));
  return {std::isfinite(top) && dbfs <= limit_dbfs, false, format("peak %.1f dBFS (limit %.0f)", dbfs, limit_dbfs)};
}

// Values that are bin frequencies: one bin of difference in at most one per cent of the frames.
Verdict within_one_bin(const Array& got, const Array& want, const Json& entry) {
  const Json& params = entry.at("params");
  const double bin = params.value("sr", 22050.0) / params.value("n_fft", 2048.0);
  double off = 0;
  bool far = false;
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    const double difference = std::abs(got.values[i] - want.values[i]);
    off += difference > 1e-9 * std::abs(want.values[i]) ? 1 : 0;
    far = far || !(difference <= bin * (1 + 1e-6));
  }
  const double share = want.values.empty() ? 0 : off / static_cast<double>(want.values.size());
  return {!far && share <= 0.01, false, format("%.4f of the frames off by at most %.1f Hz", share, bin)};
}

}  // namespace

bool is_informative(const Json& entry) {
  const Json& tolerance = entry.at("tolerance");
  return tolerance.value("skip", false) || tolerance.contains("informative") ||
         note_of(tolerance).find("informative") != std::string::npos;
}

Verdict compare(const Array& got, const Array& want, const Json& entry, const std::string& precision) {
  const Json& tolerance = entry.at("tolerance");
  const std::string note = note_of(tolerance);
  const bool informative = is_informative(entry);
  const auto judged = [&](Verdict v) {
    v.informative = informative;
    v.passed = v.passed || informative;
    return v;
  };
  if (got.values.size() != want.values.size() || got.shape != want.shape) {
    std::string text = "shape";
    for (const Index n : got.shape) text += " " + std::to_string(n);
    text += " instead of";
    for (const Index n : want.shape) text += " " + std::to_string(n);
    return judged({false, false, text});
  }
  if (tolerance.value("exact", false)) {
    return judged({got.values == want.values, false, got.values == want.values ? "equal" : "not equal"});
  }
  if (tolerance.contains("peak_dbfs_max")) return judged(peak(got, tolerance.at("peak_dbfs_max").get<double>()));
  for (const std::string& key : {precision + "_snr_db", std::string("snr_db")}) {
    if (!tolerance.contains(key)) continue;
    const std::size_t skip = note.find("200..-200") != std::string::npos ? 200 : 0;
    return judged(signal_to_noise(got, want, tolerance.at(key).get<double>(), skip));
  }
  if (tolerance.contains("abs")) {
    return judged(share_within(got, want, tolerance.at("abs").get<double>(), tolerance.value("fraction", 1.0)));
  }
  if (note.find("one bin") != std::string::npos) return judged(within_one_bin(got, want, entry));
  if (tolerance.contains(precision)) return judged(elementwise(got, want, tolerance.at(precision)));
  if (tolerance.contains("rtol") || tolerance.contains("atol")) return judged(elementwise(got, want, tolerance));
  return judged({false, false, "unknown kind of tolerance"});
}

}  // namespace serene::golden
