// Small models, voices and sinks for the tests of a session.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/audio/features.h"
#include "serene/audio/g711.h"
#include "serene/audio/resample.h"
#include "serene/call/session.h"
#include "serene/core/random.h"
#include "serene/nn/init.h"

namespace serene::test {

// Something like a voice: harmonics of a gliding pitch under three formants, four syllables a second, short gaps
// between words, and a little noise. level: peak, about.
inline std::vector<float> voice(double seconds, int rate_hz, double level = 0.3, double pitch_hz = 140,
                                std::uint64_t seed = 1) {
  Random random(seed, Purpose::test, 77);
  std::vector<float> y(static_cast<std::size_t>(seconds * rate_hz));
  double phase = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double t = static_cast<double>(i) / rate_hz, f0 = pitch_hz * (1 + 0.1 * std::sin(6.3 * t));
    phase += 2 * M_PI * f0 / rate_hz;
    double sum = 0;
    for (int h = 1; h <= 24 && h * f0 < 0.45 * rate_hz; ++h) {
      double gain = 0.02;
      for (const double formant : {500.0, 1500.0, 2500.0}) gain += std::exp(-std::pow((h * f0 - formant) / 250, 2));
      sum += gain / std::sqrt(h) * std::sin(h * phase);
    }
    const bool between_words = std::fmod(t, 1.25) > 1.13;
    const double syllable = between_words ? 0.003 : 0.02 + 0.98 * std::pow(std::sin(4 * M_PI * t), 2);
    y[i] = static_cast<float>(level * (0.4 * syllable * sum + 1e-3 * random.normal()));
  }
  return y;
}

inline std::vector<float> white_noise(double seconds, int rate_hz, double level, std::uint64_t seed = 3) {
  Random random(seed, Purpose::test, 78);
  std::vector<float> y(static_cast<std::size_t>(seconds * rate_hz));
  for (float& v : y) v = static_cast<float>(level * random.normal());
  return y;
}

inline std::vector<float> quiet(double seconds, int rate_hz) { return white_noise(seconds, rate_hz, 3e-4); }

inline std::vector<float> joined(std::initializer_list<std::vector<float>> parts) {
  std::vector<float> y;
  for (const std::vector<float>& part : parts) y.insert(y.end(), part.begin(), part.end());
  return y;
}

inline std::vector<float> mu_law(std::vector<float> y) {
  for (float& v : y) {
    const auto sample = static_cast<std::int16_t>(std::lround(std::clamp(v, -1.0f, 0.99996f) * 32767));
    v = static_cast<float>(mu_law_decode(mu_law_encode(sample))) / 32768.0f;
  }
  return y;
}

inline Checkpoint bare_checkpoint(const char* graph, std::vector<std::string> labels) {
  Checkpoint c;
  c.model = parse_json(graph, "model");
  c.features = parse_json(R"({"preset": "logmel-64", "rate_hz": 8000, "n_fft": 256, "win_length": 200,
    "hop_length": 80, "n_mels": 12, "fmin_hz": 100, "fmax_hz": 3800, "trim_top_db": null})",
                          "features");
  c.input_channels = 12;
  c.labels = std::move(labels);
  return c;
}

// The real layer types, small, with random weights: any change of a frame changes the answer.
inline Checkpoint random_checkpoint() {
  Checkpoint c = bare_checkpoint(R"({"layers": [
    {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 5, "padding": "same", "activation": "relu"},
    {"type": "max_pooling1d", "name": "pool", "pool_size": 5, "strides": 4, "padding": "same"},
    {"type": "lstm", "name": "lstm", "units": 5, "return_sequences": true},
    {"type": "self_attention", "name": "look"},
    {"type": "global_average_pooling1d", "name": "gap"},
    {"type": "batch_norm", "name": "norm"},
    {"type": "dense", "name": "out", "units": "classes"}]})",
                                 {"neutral", "calm", "happy", "sad", "angry"});
  c.normalizer.mean.assign(12, -45.0f);
  c.normalizer.scale.assign(12, 0.1f);
  const Model<float> model = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  initialize<float>(model.layout(), 5, c.params.data());
  return c;
}

// A model that hears loudness alone: a voice at 0.3 is angry, one at 0.03 neutral, one between uncertain.
inline Checkpoint loudness_checkpoint() {
  Checkpoint c = bare_checkpoint(R"({"layers": [
    {"type": "global_average_pooling1d", "name": "gap"}, {"type": "dense", "name": "out", "units": "classes"}]})",
                                 {"neutral", "angry", "sad"});
  const auto mean_level = [&](double level) {
    JsonReader reader(c.features, "features");
    const FeatureMatrix m = extract_features(feature_config_from_json(reader), voice(3, 8000, level));
    double sum = 0;
    for (const float v : m.values) sum += v;
    return sum / static_cast<double>(m.values.size());
  };
  const double middle = (mean_level(0.3) + mean_level(0.03)) / 2;
  c.normalizer.mean.assign(12, static_cast<float>(middle));
  c.normalizer.scale.assign(12, 0.25f);
  const Model<float> model = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  for (const ParameterEntry& e : model.layout().entries) {
    if (e.name == "out.bias") c.params[static_cast<std::size_t>(e.offset + 2)] = -0.5f;
    if (e.name != "out.kernel") continue;
    for (Index k = 0; k < 12; ++k) {
      c.params[static_cast<std::size_t>(e.offset + 3 * k)] = -1.0f / 12;
      c.params[static_cast<std::size_t>(e.offset + 3 * k + 1)] = 1.0f / 12;
    }
  }
  return c;
}

inline Playbook small_playbook() {
  const Json json = parse_json(R"({"rules": [
    {"id": "anger", "alert": true, "severity": "critical", "priority": 90, "signal": {"states": {"angry": 1}},
     "raise_at": 0.7, "windows": 2, "min_speech_s": 1, "clear_below": 0.5, "clear_for_s": 2, "cooldown_s": 5,
     "escalate_after_s": 3, "text": "Anger", "advice": "Slow down.", "reason": "angry"},
    {"id": "quiet", "priority": 10, "signal": {"silence_s": true}, "raise_at": 4, "clear_below": 1, "clear_for_s": 1,
     "advice": "Ask something.", "text": "Silence", "reason": "silence"}]})",
                               "playbook");
  JsonReader reader(json, "playbook");
  return playbook_from_json(reader);
}

inline CallModel call_model(Checkpoint checkpoint, CallConfig config = {}) {
  return CallModel(Recognizer(std::move(checkpoint)), std::move(config), small_playbook());
}

// Keeps the events; as lines too.
struct Recorder final : EventSink {
  const CallModel* model;
  std::vector<Event> events;
  explicit Recorder(const CallModel& m) : model(&m) {}
  void on_event(const Event& e) noexcept override { events.push_back(e); }

  std::string lines() const {
    std::string text;
    for (const Event& e : events) text += event_line(e, *model) + "\n";
    return text;
  }
  std::vector<Event> of(EventType type, EventAction action = EventAction::none) const {
    std::vector<Event> out;
    for (const Event& e : events) {
      if (e.type == type && (action == EventAction::none || e.action == action)) out.push_back(e);
    }
    return out;
  }
};

// Counts events without allocating.
struct Counter final : EventSink {
  std::int64_t events = 0, emotions = 0;
  void on_event(const Event& e) noexcept override {
    ++events;
    emotions += e.type == EventType::emotion ? 1 : 0;
  }
};

// Both legs in steps of 20 ms, as a player does; then finish.
inline void play(Session& session, std::array<int, 2> rate_hz, std::span<const float> customer,
                 std::span<const float> agent) {
  const std::array<std::size_t, 2> step{static_cast<std::size_t>(rate_hz[0] / 50),
                                        static_cast<std::size_t>(rate_hz[1] / 50)};
  for (std::size_t c = 0, a = 0; c < customer.size() || a < agent.size(); c += step[0], a += step[1]) {
    if (c < customer.size()) session.push(Leg::customer, customer.subspan(c, std::min(step[0], customer.size() - c)));
    if (a < agent.size()) session.push(Leg::agent, agent.subspan(a, std::min(step[1], agent.size() - a)));
  }
  session.finish();
}

inline Recorder played(const CallModel& model, int rate_hz, std::span<const float> customer,
                       std::span<const float> agent) {
  Recorder recorder(model);
  Session session(model, {.rate_hz = {rate_hz, rate_hz}}, recorder);
  play(session, {rate_hz, rate_hz}, customer, agent);
  return recorder;
}

}  // namespace serene::test
