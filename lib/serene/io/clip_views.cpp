#include "serene/io/clip_views.h"

#include <algorithm>
#include <string>

#include "serene/audio/features.h"

namespace serene {
namespace {

void read_list(JsonReader& r, const std::string& key, double least, double most, std::vector<double>& values) {
  if (!r.has(key)) return;
  values = r.numbers(key);
  const auto fits = [&](double v) { return v >= least && v <= most; };
  if (values.empty() || values.size() > most_views || !std::all_of(values.begin(), values.end(), fits)) {
    throw r.error(key, "not a list of views")
        .expected("1 to " + std::to_string(most_views) + " numbers from " + Json(least).dump() + " to " +
                  Json(most).dump());
  }
}

}  // namespace

std::vector<ClipView> ClipViews::list() const {
  std::vector<ClipView> all;
  for (const double t : tempo) {
    for (const double s : mel_shift) all.push_back({t, s});
  }
  return all;
}

double ClipViews::slowest() const noexcept { return *std::min_element(tempo.begin(), tempo.end()); }

ClipViews clip_views_from_json(JsonReader r) {
  ClipViews v;
  read_list(r, "tempo", 0.25, 4, v.tempo);
  read_list(r, "mel_shift", -1024, 1024, v.mel_shift);
  r.finish();
  if (v.tempo.size() * v.mel_shift.size() > most_views) {
    throw r.error("mel_shift", "too many views").expected("at most " + std::to_string(most_views) + " in all");
  }
  return v;
}

Json to_json(const ClipViews& v) { return {{"tempo", v.tempo}, {"mel_shift", v.mel_shift}}; }

void check(const ClipViews& v, const FeatureConfig& features, const std::string& key) {
  if (v.plain()) return;
  const auto refuse = [&](const std::string& at, const std::string& problem, const std::string& expected) {
    throw Error(ErrorCode::usage, key + at, problem).expected(expected);
  };
  const bool bands = features.layout == FeatureLayout::logmel;
  if (!bands && features.layout != FeatureLayout::mfcc) refuse("", "needs frames", "features.layout mfcc or logmel");
  if (features.deltas != 0) refuse("", "derivatives cannot be warped", "features.deltas 0");
  if (!bands && v.mel_shift != std::vector<double>{0})
    refuse(".mel_shift", "needs mel bands", "features.layout logmel");
}

}  // namespace serene
