#include "serene/call/recognizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace serene {
namespace {

// Replays the first example of a member; `member` names it among several.
void replay_first(const Ensemble& e, std::size_t member, const InferenceModel<float>& inference) {
  const auto replay = [&] { replay_examples(e.members[member], inference, 1); };
  if (e.single()) return replay();
  with_context("member " + std::to_string(member), replay);
}

// Place of the config in `streams`, where it is put when it is new. The name of a preset does not count.
std::size_t stream_of(const FeatureConfig& config, std::vector<FeatureConfig>& streams) {
  FeatureConfig wanted = config;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    wanted.preset = streams[i].preset;
    if (wanted == streams[i]) return i;
  }
  streams.push_back(config);
  return streams.size() - 1;
}

// The recording as it is, from its first sample to its last.
FeatureConfig whole_recording(FeatureConfig config) {
  config.trim_top_db = std::nullopt;
  config.offset_s = config.duration_s = 0;
  return config;
}

double frames_per_s(const FeatureConfig& c) {
  return static_cast<double>(c.rate_hz) / static_cast<double>(c.hop_length);
}

FeatureMatrix cut_frames(const FeatureMatrix& m, Index first, Index count) {
  const auto row = static_cast<std::size_t>(m.dim);
  FeatureMatrix part;
  part.frames = count, part.dim = m.dim;
  part.values.assign(m.values.begin() + static_cast<Index>(row) * first,
                     m.values.begin() + static_cast<Index>(row) * (first + count));
  return part;
}

}  // namespace

FeatureConfig feature_config_of(const Checkpoint& checkpoint) {
  JsonReader reader(checkpoint.features, "features");
  FeatureConfig config = feature_config_from_json(reader);
  reader.finish();
  if (dimension(config) != checkpoint.input_channels) {
    throw Error(ErrorCode::input, "features", "do not fit the model")
        .expected(std::to_string(checkpoint.input_channels) + " values a frame")
        .got(std::to_string(dimension(config)));
  }
  return config;
}

Recognizer Recognizer::open(const std::string& path, Precision precision) {
  Ensemble ensemble = read_model(path, {.replay = false});
  return with_context(path, [&] {
    if (precision != Precision::full) {
      for (std::size_t i = 0; i < ensemble.members.size(); ++i) {
        const Checkpoint& m = ensemble.members[i];
        replay_first(ensemble, i, InferenceModel<float>(build_model_of(m), m.params));
      }
      return Recognizer(std::move(ensemble), precision);
    }
    // One packing serves the replay and all that follows.
    std::vector<std::vector<CheckpointExample>> examples;
    for (Checkpoint& m : ensemble.members) examples.push_back(std::exchange(m.examples, {}));
    Recognizer recognizer(std::move(ensemble));
    for (std::size_t i = 0; i < recognizer.members_.size(); ++i) {
      Checkpoint m = recognizer.members_[i].checkpoint;
      m.examples = std::move(examples[i]);
      const auto replay = [&] { replay_examples(m, *recognizer.members_[i].inference, 1); };
      if (recognizer.members_.size() == 1) {
        replay();
      } else {
        with_context("member " + std::to_string(i), replay);
      }
    }
    return recognizer;
  });
}

Recognizer::Recognizer(Checkpoint checkpoint, Precision precision)
    : Recognizer(ensemble_of(std::move(checkpoint)), precision) {}

Recognizer::Recognizer(Ensemble e, Precision precision)
    : labels_(std::move(e.labels)),
      notes_(std::move(e.notes)),
      temperature_(e.temperature),
      uncertain_below_(e.uncertain_below) {
  for (std::size_t i = 0; i < e.members.size(); ++i) {
    Checkpoint& c = e.members[i];
    RecognizerMember m;
    m.stream = stream_of(feature_config_of(c), streams_);
    m.places = label_places(c.labels, labels_);
    m.weight = e.weights[i];
    m.inference = std::make_shared<const InferenceModel<float>>(build_model_of(c), std::move(c.params), precision);
    c.params = {}, c.examples = {}, c.state = {};
    m.checkpoint = std::move(c);
    members_.push_back(std::move(m));
  }
}

void Recognizer::add_member_answer(std::size_t member, std::span<double> q, std::span<double> p) const noexcept {
  if (!std::all_of(q.begin(), q.end(), [](double v) { return std::isfinite(v); })) {
    std::fill(q.begin(), q.end(), 1.0 / static_cast<double>(q.size()));
  }
  add_answer(q, members_[member].places, members_[member].weight, p);
}

void Recognizer::finish_answer(std::span<double> p) const noexcept { apply_temperature(p, temperature_); }

Recognition Recognizer::recognize_file(const std::string& path) const {
  std::vector<FeatureMatrix> all;
  for (const FeatureConfig& config : streams_) all.push_back(extract_file(config, path));
  return recognize_features(all);
}

Recognition Recognizer::recognize(std::span<const float> samples) const {
  std::vector<FeatureMatrix> all;
  for (const FeatureConfig& config : streams_) {
    if (config.rate_hz != streams_[0].rate_hz) {
      throw Error(ErrorCode::usage, "samples", "the members of the ensemble need several rates")
          .hint("recognise a file");
    }
    all.push_back(extract_features(config, samples));
  }
  return recognize_features(all);
}

Recognition Recognizer::recognize(std::span<const float> samples, int rate_hz) const {
  std::vector<FeatureMatrix> all;
  for (const FeatureConfig& config : streams_) all.push_back(features_of_samples(config, samples, rate_hz));
  return recognize_features(all);
}

Recognition Recognizer::recognize_features(const FeatureMatrix& m) const {
  return recognize_features(std::span<const FeatureMatrix>(&m, 1));
}

Recognition Recognizer::recognize_features(std::span<const FeatureMatrix> streams) const {
  if (streams.size() != streams_.size()) {
    throw Error(ErrorCode::usage, "features", "not one matrix for each stream of the model")
        .expected(std::to_string(streams_.size()))
        .got(std::to_string(streams.size()));
  }
  std::vector<double> p(labels_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const RecognizerMember& m = members_[i];
    const FeatureMatrix& features = streams[m.stream];
    auto q = classify(m.checkpoint, *m.inference, features.frames, features.values);
    add_member_answer(i, q, p);
  }
  finish_answer(p);
  return judge(std::move(p), streams[0].frames);
}

Recognition Recognizer::judge(std::vector<double> probabilities, Index frames) const {
  Recognition r;
  r.frames = frames;
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  r.label = static_cast<int>(best - probabilities.begin());
  r.uncertain = *best < uncertain_below_;
  r.probabilities = std::move(probabilities);
  return r;
}

std::vector<TimedRecognition> Recognizer::recognize_timeline(const std::string& path, double window_s) const {
  if (!(window_s >= 0.1 && window_s <= 3600)) {
    throw Error(ErrorCode::usage, "window", "out of range").expected("0.1 to 3600 s").got(std::to_string(window_s));
  }
  std::vector<FeatureMatrix> whole;
  for (const FeatureConfig& config : streams_) {
    if (fixed_frames(config) > 0) {
      throw Error(ErrorCode::usage, "features", "are of a fixed size: no windows over time").got(config.preset);
    }
    whole.push_back(extract_file(whole_recording(config), path));
  }
  const double rate = frames_per_s(streams_[0]);
  const ClipCut cut(std::max<Index>(1, static_cast<Index>(std::lround(window_s * rate))), LongClips::vote);
  const Index frames = whole[0].frames;
  std::vector<TimedRecognition> rows;
  for (Index i = 0; i < cut.count(frames); ++i) {
    TimedRecognition row;
    row.from_s = static_cast<double>(cut.first(frames, i)) / rate;
    row.to_s = static_cast<double>(cut.first(frames, i) + cut.length(frames)) / rate;
    std::vector<FeatureMatrix> parts;
    for (std::size_t s = 0; s < streams_.size(); ++s) {
      const double own = frames_per_s(streams_[s]);
      const Index last = whole[s].frames - 1;
      const Index first = std::clamp<Index>(static_cast<Index>(std::lround(row.from_s * own)), 0, last);
      const Index end = std::clamp<Index>(static_cast<Index>(std::lround(row.to_s * own)), first + 1, last + 1);
      parts.push_back(cut_frames(whole[s], first, end - first));
    }
    row.recognition = recognize_features(parts);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace serene
