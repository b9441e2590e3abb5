// Several hearings of one clip: what is warped, and that the answer is the mean of their logits.
#include "serene/io/clip_views.h"

#include <doctest/doctest.h>

#include <cmath>

#include "serene/audio/frame_warp.h"
#include "serene/core/random.h"
#include "serene/io/checkpoint.h"
#include "serene/nn/init.h"
#include "temp_folder.h"

using namespace serene;

namespace {

ClipViews views_of(const std::string& json) {
  const Json j = parse_json(json, "views");
  return clip_views_from_json(JsonReader(j, "data.views"));
}

// Value of band c in frame t: t + 100 c, so that every interpolated value is known.
FeatureMatrix ramp(Index frames, Index bands) {
  FeatureMatrix m(frames, bands);
  for (Index t = 0; t < frames; ++t) {
    for (Index c = 0; c < bands; ++c) m.row(t)[c] = static_cast<float>(t + 100 * c);
  }
  return m;
}

Checkpoint hearing_checkpoint() {
  Checkpoint c;
  c.model = parse_json(R"({"layers": [
    {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"},
    {"type": "global_average_pooling1d", "name": "gap"}, {"type": "dense", "name": "out", "units": "classes"}]})",
                       "model");
  c.features = {{"preset", "logmel-64"}};
  c.input_channels = 6;
  c.labels = {"angry", "happy", "sad"};
  c.max_frames = 12, c.long_clips = LongClips::vote;
  const Model<float> model = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  initialize<float>(model.layout(), 3, c.params.data());
  return c;
}

}  // namespace

TEST_CASE("warp: frames and bands are interpolated, ends kept") {
  const FeatureMatrix m = ramp(9, 4);
  const FeatureMatrix same = warp(m, 1, 0);
  CHECK(same.values == m.values);
  const FeatureMatrix slow = warp(m, 0.5, 0);
  CHECK(slow.frames == 18);
  CHECK(slow.row(0)[1] == 100);
  CHECK(slow.row(17)[1] == 108);
  CHECK(slow.row(5)[0] == doctest::Approx(5 * 8.0 / 17));
  const FeatureMatrix up = warp(m, 1, 1.25);
  CHECK(up.row(3)[3] == doctest::Approx(3 + 175));
  CHECK(up.row(3)[0] == 3);  // the edge band is repeated
  CHECK(warp(m, 1, -1).row(2)[0] == 102);
  CHECK(warp(m, 100, 0).frames == 1);
}

TEST_CASE("views: every tempo with every shift; the default is the clip as it is") {
  CHECK(views_of("{}").plain());
  const ClipViews v = views_of(R"({"tempo": [0.9, 1, 1.1], "mel_shift": [-1.5, 0]})");
  CHECK(v.list().size() == 6);
  CHECK(v.list()[1] == ClipView{0.9, 0});
  CHECK(v.slowest() == 0.9);
  const Json again = to_json(v);
  CHECK(clip_views_from_json(JsonReader(again, "")) == v);
}

TEST_CASE("views: bad input is one line that names the key") {
  for (const char* bad : {R"({"tempo": []})", R"({"tempo": [0]})", R"({"tempo": [5]})", R"({"tempo": 1})",
                          R"({"mel_shift": [2000]})", R"({"speed": [1]})", R"({"tempo": ["a"]})"}) {
    CAPTURE(bad);
    CHECK_THROWS_WITH_AS(views_of(bad), doctest::Contains("data.views"), Error);
  }
  std::string many = "[1";
  for (int i = 0; i < 9; ++i) many += ", 1.0" + std::to_string(i + 1);
  CHECK_THROWS_AS(views_of("{\"tempo\": " + many + "], \"mel_shift\": [0, 1, 2, 3, 4, 5, 6]}"), Error);
  FeatureConfig mfcc = feature_preset("mfcc-40"), fixed = feature_preset("kaggle-162");
  CHECK_NOTHROW(check(views_of(R"({"tempo": [0.9, 1.1]})"), mfcc, "data.views"));
  CHECK_THROWS_AS(check(views_of(R"({"mel_shift": [1]})"), mfcc, "data.views"), Error);
  CHECK_THROWS_AS(check(views_of(R"({"tempo": [0.9]})"), fixed, "data.views"), Error);
  mfcc.deltas = 1;
  CHECK_THROWS_AS(check(views_of(R"({"tempo": [0.9]})"), mfcc, "data.views"), Error);
}

TEST_CASE("classify: the answer of several views is the softmax of the mean of all windows' logits") {
  const Checkpoint plain = hearing_checkpoint();
  Checkpoint c = plain;
  c.views = views_of(R"({"tempo": [0.8, 1], "mel_shift": [0, 1.5]})");
  FeatureMatrix clip(17, 6);
  Random random(5, Purpose::test);
  for (float& v : clip.values) v = static_cast<float>(random.normal());
  const Model<float> model = build_model_of(c);
  std::vector<double> sums(3);
  Index heard = 0;
  for (const ClipView& view : c.views.list()) {
    const FeatureMatrix changed = warp(clip, view.tempo, view.mel_shift);
    // The mean of a clip's windows, as log-probabilities: a constant off the logits, the same for every class.
    const auto p = classify(plain, model, changed.frames, changed.values);
    const Index windows = plain.cut().count(changed.frames);
    for (std::size_t k = 0; k < 3; ++k) sums[k] += static_cast<double>(windows) * std::log(p[k]);
    heard += windows;
  }
  std::vector<float> means;
  for (const double s : sums) means.push_back(static_cast<float>(s / static_cast<double>(heard)));
  const auto expected = probabilities_of(means, 1), got = classify(c, model, clip.frames, clip.values);
  for (std::size_t k = 0; k < 3; ++k) CHECK(got[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  CHECK(got[0] != doctest::Approx(classify(plain, model, clip.frames, clip.values)[0]).epsilon(1e-4));
}

TEST_CASE("checkpoint: views are kept, and older files have none") {
  const test::TempFolder folder;
  Checkpoint c = hearing_checkpoint();
  write_checkpoint(folder / "plain", c);
  CHECK(read_checkpoint(folder / "plain").views.plain());
  c.views = views_of(R"({"tempo": [0.9, 1]})");
  write_checkpoint(folder / "views", c);
  CHECK(read_checkpoint(folder / "views").views == c.views);
}
