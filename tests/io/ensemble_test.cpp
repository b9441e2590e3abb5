// Several models in one file: a round trip without loss, and every kind of damage found.
#include "serene/io/ensemble.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "serene/core/random.h"
#include "serene/io/checkpoint_parts.h"
#include "serene/io/file.h"
#include "serene/nn/init.h"
#include "temp_folder.h"

using namespace serene;

namespace {

std::vector<float> normal_values(std::uint64_t seed, Index n) {
  Random random(seed, Purpose::test);
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = static_cast<float>(random.normal());
  return v;
}

// Members differ in graph, features, normaliser, longest clip and order of the labels.
Checkpoint member(std::uint64_t seed, Index channels, std::vector<std::string> labels) {
  Checkpoint c;
  c.model = parse_json(R"({"layers": [
    {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"},
    {"type": "global_average_pooling1d", "name": "gap"}, {"type": "dense", "name": "out", "units": "classes"}]})",
                       "model");
  c.features = {{"preset", "logmel-64"}, {"n_mels", channels}};
  c.input_channels = channels;
  c.labels = std::move(labels);
  c.normalizer.mean.assign(static_cast<std::size_t>(channels), 0.5f);
  c.normalizer.scale.assign(static_cast<std::size_t>(channels), 2.0f);
  c.max_frames = static_cast<Index>(8 + seed);
  c.long_clips = LongClips::vote;
  c.temperature = 1 + 0.25 * static_cast<double>(seed);
  const Model<float> model = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  initialize<float>(model.layout(), seed, c.params.data());
  c.notes = {{"corpus", "small"},
             {"seed", std::to_string(seed)},
             {"train_speakers", "a b"},
             {"validation_speakers", "c"},
             {"test_speakers", seed == 1 ? "d e" : "e f"}};
  for (const Index frames : {5, 30}) {
    CheckpointExample e{frames, normal_values(seed + static_cast<std::uint64_t>(frames), frames * channels), {}};
    e.probabilities = classify(c, model, frames, e.features);
    c.examples.push_back(std::move(e));
  }
  return c;
}

Ensemble small_ensemble() {
  Ensemble e =
      make_ensemble({member(1, 3, {"angry", "happy", "sad"}), member(2, 5, {"sad", "angry", "happy"})}, {3, 1});
  e.temperature = 0.8;
  e.uncertain_below = 0.45;
  e.notes["name"] = "both";
  return e;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  INFO("text: ", text, " part: ", part);
  return text.find(part) != std::string::npos;
}

// The file again with another head, texts or members, and a right sum.
std::string says(const std::function<void(CheckpointWriter&, const Ensemble&)>& write) {
  const test::TempFolder folder;
  const Ensemble e = small_ensemble();
  CheckpointWriter out;
  out.text("format", ensemble_format);
  out.text("notes", "{}");
  out.text("head", Json{{"members", 2}, {"labels", e.labels}, {"weights", {0.75, 0.25}}, {"temperature", 1}}.dump());
  write(out, e);
  out.write(folder / "bad");
  const std::string text = error_of([&] { read_model(folder / "bad"); });
  if (!text.empty()) CHECK(text.starts_with(folder / "bad"));
  CHECK(text.find('\n') == std::string::npos);
  return text;
}

void both(CheckpointWriter& out, const Ensemble& e) {
  out.add("", "member.0.", e.members[0]);
  out.add("", "member.1.", e.members[1]);
}

}  // namespace

TEST_CASE("ensemble: a round trip keeps everything, byte for byte") {
  const test::TempFolder folder;
  const Ensemble e = small_ensemble();
  CHECK(e.weights == std::vector<double>{0.75, 0.25});
  CHECK(e.notes == std::map<std::string, std::string>{
                       {"corpus", "small"}, {"name", "both"}, {"test_speakers", "e"}, {"train_speakers", "a b c"}});
  write_ensemble(folder / "a", e);
  const Ensemble read = read_model(folder / "a");
  CHECK(read.labels == e.labels);
  CHECK(read.weights == e.weights);
  CHECK(read.temperature == 0.8);
  CHECK(read.uncertain_below == 0.45);
  CHECK(read.notes == e.notes);
  REQUIRE(read.members.size() == 2);
  CHECK(read.members[1].params == e.members[1].params);
  CHECK(read.members[1].labels == e.members[1].labels);
  CHECK(read.members[1].temperature == e.members[1].temperature);
  CHECK(read.members[1].long_clips == LongClips::vote);
  CHECK(read.members[1].examples.size() == 2);
  write_ensemble(folder / "b", read);
  CHECK(read_file(folder / "a") == read_file(folder / "b"));
  CHECK(has(error_of([&] { read_checkpoint(folder / "a"); }), "is an ensemble of models where one model is needed"));
}

TEST_CASE("ensemble: one model is an ensemble of one") {
  const test::TempFolder folder;
  Checkpoint c = member(1, 3, {"angry", "happy", "sad"});
  c.uncertain_below = 0.4;
  write_checkpoint(folder / "one", c);
  const Ensemble e = read_model(folder / "one");
  CHECK(e.single());
  CHECK(e.weights == std::vector<double>{1});
  CHECK(e.temperature == 1);
  CHECK(e.uncertain_below == 0.4);
  CHECK(e.labels == c.labels);
  std::vector<double> p(3);
  const std::vector<double> q{0.1, 0.2, 0.7};
  add_answer(q, label_places(c.labels, e.labels), e.weights[0], p);
  apply_temperature(p, e.temperature);
  CHECK(p == q);
}

TEST_CASE("ensemble: answers are mixed by label and sharpened by temperature") {
  const std::vector<std::string> labels{"a", "b", "c"};
  std::vector<double> p(3);
  add_answer(std::vector<double>{0.5, 0.3, 0.2}, label_places(labels, labels), 0.5, p);
  add_answer(std::vector<double>{0.6, 0.4, 0.0}, label_places({"c", "a", "b"}, labels), 0.5, p);
  CHECK(p[0] == doctest::Approx(0.45));
  CHECK(p[1] == doctest::Approx(0.15));
  CHECK(p[2] == doctest::Approx(0.4));
  apply_temperature(p, 0.5);
  CHECK(p[0] == doctest::Approx(0.2025 / (0.2025 + 0.0225 + 0.16)));
  std::vector<double> sure{1, 0, 0};
  apply_temperature(sure, 3);
  CHECK(sure[0] == doctest::Approx(1));
  CHECK(std::isfinite(sure[1]));
}

TEST_CASE("ensemble: members and weights that do not fit are refused") {
  const Checkpoint a = member(1, 3, {"angry", "happy", "sad"});
  CHECK(has(error_of([&] { make_ensemble({a}); }), "number of members"));
  CHECK(has(error_of([&] { make_ensemble({a, a}, {1}); }), "not one for each member"));
  for (const double w : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    CHECK(has(error_of([&] { make_ensemble({a, a}, {1, w}); }), "out of range"));
  }
  CHECK(has(error_of([&] {
              make_ensemble({a, member(2, 3, {"angry", "happy", "calm"})});
            }),
            "member 1: labels: \"calm\" is not a label"));
  CHECK(has(error_of([&] { make_ensemble({a, member(2, 3, {"angry", "happy"})}); }), "\"sad\" is missing"));
}

TEST_CASE("ensemble: hostile files") {
  CHECK(says(both).empty());
  CHECK(has(says([](CheckpointWriter& out, const Ensemble& e) { out.add("", "member.0.", e.members[0]); }),
            "member.1.model"));
  CHECK(has(says([](CheckpointWriter& out, const Ensemble& e) {
              both(out, e);
              out.add("", "member.2.", e.members[0]);
            }),
            "member.2.features: a text that the ensemble does not have"));
  const std::vector<float> more{1};
  CHECK(has(says([&](CheckpointWriter& out, const Ensemble& e) {
              both(out, e);
              out.add("member.0.more", {1}, std::span<const float>(more));
            }),
            "member.0.more: a tensor that the model does not have"));
  const auto head = [](const Json& change) {
    return says([&](CheckpointWriter& out, const Ensemble& e) {
      both(out, e);
      Json json{{"members", 2}, {"labels", e.labels}, {"weights", {0.75, 0.25}}, {"temperature", 1}};
      json.update(change);
      out.text("head", json.dump());
    });
  };
  CHECK(has(head({{"members", 1}}), "head.members: out of range"));
  CHECK(has(head({{"members", 1000000}}), "head.members: out of range"));
  CHECK(has(head({{"weights", {1.0}}}), "head.weights"));
  CHECK(has(head({{"weights", {0.5, 0.6}}}), "head.weights"));
  CHECK(has(head({{"weights", {1.5, -0.5}}}), "head.weights"));
  CHECK(has(head({{"temperature", 0}}), "head.temperature"));
  CHECK(has(head({{"uncertain_below", 2}}), "head.uncertain_below"));
  CHECK(has(head({{"colour", 2}}), "head.colour"));
  CHECK(has(head({{"labels", {"angry", "happy", "calm"}}}), "member 0: labels: \"sad\""));
  CHECK(has(head({{"labels", {"angry", "happy", "sad", "calm"}}}), "\"calm\" is missing"));
  CHECK(has(head({{"labels", {"angry", "happy", "sad", "sad"}}}), "stands there twice"));
  CHECK(has(says([](CheckpointWriter& out, const Ensemble& e) {
              static Ensemble changed;  // stays until the file is written
              changed = e;
              changed.members[1].params[0] += 1;
              both(out, changed);
            }),
            "member 1: example 0"));
}

TEST_CASE("ensemble: a flipped bit or a file cut short is an Error") {
  const test::TempFolder folder;
  write_ensemble(folder / "good", small_ensemble());
  const auto good = read_file(folder / "good");
  const auto put = [&](const std::vector<std::byte>& bytes) {
    std::ofstream(folder / "bad", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  for (std::size_t n = 0; n < good.size(); n += 37) {
    put({good.begin(), good.begin() + static_cast<Index>(n)});
    CHECK_THROWS_AS(read_model(folder / "bad"), Error);
  }
  Random random(4, Purpose::test);
  std::size_t same = 0;
  for (std::size_t at = 0; at < good.size(); at += 1 + random.below(9)) {
    auto bytes = good;
    bytes[at] ^= static_cast<std::byte>(1u << random.below(8));
    put(bytes);
    try {
      const Ensemble read = read_model(folder / "bad");
      CHECK(read.members[0].params == small_ensemble().members[0].params);
      ++same;
    } catch (const Error&) {
    }
  }
  CHECK(same < 20);  // blanks of the header
}

TEST_CASE("windows: a long clip is the softmax of the mean of its windows' logits") {
  for (const Index most : {1, 2, 7, 8, 256}) {
    const ClipCut vote(most, LongClips::vote), middle(most);
    for (const Index frames : {1, 2, 7, 8, 9, 15, 16, 17, 300, 1000}) {
      CHECK(middle.count(frames) == 1);
      CHECK(middle.first(frames, 0) == (frames - middle.length(frames)) / 2);
      const Index n = vote.count(frames);
      CHECK(vote.first(frames, 0) == 0);
      CHECK(vote.first(frames, n - 1) + vote.length(frames) == frames);
      for (Index i = 1; i < n; ++i) {
        const Index step = vote.first(frames, i) - vote.first(frames, i - 1);
        CHECK(step > 0);
        CHECK(step <= std::max<Index>(1, most / 2));
      }
    }
  }
  Checkpoint c = member(1, 3, {"angry", "happy", "sad"});
  const Model<float> model = build_model_of(c);
  const std::vector<float> x = normal_values(7, 20 * 3);
  c.max_frames = 8;
  std::vector<double> logs(3);
  const ClipCut cut = c.cut();
  REQUIRE(cut.count(20) == 4);
  for (Index i = 0; i < 4; ++i) {
    const auto part = std::span<const float>(x).subspan(static_cast<std::size_t>(3 * cut.first(20, i)), 24);
    const auto p = classify(c, model, 8, part);
    for (std::size_t k = 0; k < 3; ++k) logs[k] += std::log(p[k]) / 4;
  }
  const auto p = classify(c, model, 20, x);
  const double sum = std::exp(logs[0]) + std::exp(logs[1]) + std::exp(logs[2]);
  for (std::size_t k = 0; k < 3; ++k) CHECK(p[k] == doctest::Approx(std::exp(logs[k]) / sum).epsilon(1e-5));
}
