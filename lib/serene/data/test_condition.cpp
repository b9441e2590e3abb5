#include "serene/data/test_condition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>

#include "serene/audio/features.h"
#include "serene/audio/trim.h"
#include "serene/core/error.h"
#include "serene/core/sha256.h"
#include "serene/data/babble.h"

namespace serene {
namespace {

constexpr int kLineRate_hz = 8000;
constexpr double kDirectToReverberant_db = 3;
constexpr std::uint64_t kVoices = 6;
constexpr double kSilence_db = 40;  // below the loudest stretch of a voice that babbles

// One change as it is written.
struct Change {
  std::string word;
  std::optional<double> value;
};

Error wrong(const std::string& text, const std::string& problem) {
  return Error(ErrorCode::usage, "condition \"" + printable(text, 80) + "\"", problem);
}

std::string shortest(double value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

Change read_change(const std::string& text, const std::string& part) {
  const std::size_t colon = part.find(':');
  Change change{part.substr(0, colon), {}};
  if (colon == std::string::npos) return change;
  double value = 0;
  const char *const begin = part.data() + colon + 1, *const end = part.data() + part.size();
  const auto read = std::from_chars(begin, end, value);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(value)) {
    throw wrong(text, "not a number").got(printable(part, 40));
  }
  change.value = value;
  return change;
}

double value_in(const std::string& text, const Change& change, double least, double most) {
  const std::string range = shortest(least) + " to " + shortest(most);
  if (!change.value) throw wrong(text, change.word + " needs a number").expected(change.word + ":" + range);
  if (!(*change.value >= least && *change.value <= most)) {
    throw wrong(text, change.word + " out of range").expected(range).got(shortest(*change.value));
  }
  return *change.value;
}

void need_first(const std::string& text, bool taken, const std::string& what) {
  if (taken) throw wrong(text, "more than one " + what);
}

void apply(const std::string& text, const Change& change, WaveDraw& draw, bool& line, bool& loss) {
  for (const NoiseKind kind : {NoiseKind::white, NoiseKind::pink, NoiseKind::babble}) {
    if (change.word != to_string(kind)) continue;
    need_first(text, draw.noise, "noise");
    draw.noise = true, draw.noise_kind = kind;
    draw.snr_db = value_in(text, change, -20, 100);
    return;
  }
  if (change.word == "room") {
    need_first(text, draw.reverberation, "room");
    draw.reverberation = true;
    draw.rt60_s = value_in(text, change, 0.02, 5);
    draw.direct_to_reverberant_db = kDirectToReverberant_db;
  } else if (change.word == "rate") {
    need_first(text, draw.band_rate_hz > 0, "rate");
    draw.band_rate_hz = value_in(text, change, 1000, 192000);
  } else if (change.word == "telephone" || change.word == "telephone-band") {
    need_first(text, line, "line");
    if (change.value) throw wrong(text, change.word + " takes no number");
    line = draw.telephone = true;
    draw.narrow_band = change.word == "telephone-band";
  } else if (change.word == "loss") {
    need_first(text, loss, "loss");
    loss = draw.telephone = true;
    draw.packet_loss = value_in(text, change, 0, 0.5);
  } else {
    throw wrong(text, "unknown change")
        .expected("white:DB, pink:DB, babble:DB, room:SECONDS, rate:HZ, telephone, telephone-band or loss:SHARE")
        .got("\"" + printable(change.word, 40) + "\"");
  }
}

std::string name_of(const WaveDraw& d, bool loss) {
  std::string name;
  const auto add = [&](const std::string& part) { name += (name.empty() ? "" : "+") + part; };
  if (d.reverberation) add("room:" + shortest(d.rt60_s));
  if (d.noise) add(to_string(d.noise_kind) + ":" + shortest(d.snr_db));
  if (d.band_rate_hz > 0) add("rate:" + shortest(d.band_rate_hz));
  if (d.telephone) add(d.narrow_band ? "telephone-band" : "telephone");
  if (loss) add("loss:" + shortest(d.packet_loss));
  return name;
}

std::uint64_t seed_of(const std::string& clip_id) {
  Sha256 sum;
  sum.update("test condition\n" + clip_id);
  const Sha256::Digest digest = sum.digest();
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < 8; ++i) seed = seed << 8 | digest[i];
  return seed;
}

std::vector<float> without_silent_ends(std::vector<float> voice, int rate_hz) {
  const Index frame = rate_hz / 40, hop = rate_hz / 80;
  const SampleRange loud = trim(std::span<const float>(voice), kSilence_db, frame, hop);
  if (loud.end <= loud.begin) return voice;
  return {voice.begin() + loud.begin, voice.begin() + loud.end};
}

}  // namespace

TestCondition parse_condition(const std::string& text) {
  constexpr std::size_t longest = 200;
  if (text.empty() || text.size() > longest) throw wrong(text, text.empty() ? "empty" : "too long");
  TestCondition condition;
  condition.draw.narrow_band = false;
  bool line = false, loss = false;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    apply(text, read_change(text, text.substr(at, end - at)), condition.draw, line, loss);
    at = end + 1;
  }
  condition.name = name_of(condition.draw, loss);
  return condition;
}

std::vector<std::string> describe(const TestCondition& condition) { return describe(condition.draw); }

void check(const TestCondition& condition, const FeatureConfig& features) {
  if (features.layout == FeatureLayout::outside)
    throw wrong(condition.name, "changes recordings, and the features come from outside");
  const WaveDraw& d = condition.draw;
  if (d.telephone && features.rate_hz < kLineRate_hz) {
    throw wrong(condition.name, "the features' rate is below the line's")
        .expected("features.rate_hz of at least 8000")
        .got(std::to_string(features.rate_hz));
  }
  if (d.band_rate_hz >= features.rate_hz) {
    throw wrong(condition.name, "the features' rate is no higher")
        .expected("a rate below " + std::to_string(features.rate_hz))
        .got(shortest(d.band_rate_hz));
  }
}

ChangedClips::ChangedClips(const FeatureSet& plain, std::span<const std::size_t> clips, ThreadPool& pool,
                           const DataProgress& progress) {
  plain_.manifest = subset(plain.manifest, clips);
  plain_.config = plain.config, plain_.dim = plain.dim, plain_.cache_dir = plain.cache_dir;
  for (const std::size_t clip : clips) plain_.audio_hashes.push_back(plain.audio_hashes.at(clip));
  if (!clips.empty()) store_ = load_waves(plain_.manifest, {}, plain.config, false, plain.cache_dir, pool, progress);
  const auto& all = plain_.manifest.clips;
  order_.resize(all.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  const auto key = [&](std::size_t i) { return std::tie(all[i].corpus, all[i].speaker, all[i].id); };
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  neighbours_.resize(all.size());
  std::size_t corpus = 0, speaker = 0;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const Clip &clip = all[order_[i]], &before = all[order_[i > 0 ? i - 1 : 0]];
    if (clip.corpus != before.corpus) corpus = i;
    if (clip.corpus != before.corpus || clip.speaker != before.speaker) speaker = i;
    neighbours_[order_[i]].corpus_begin = corpus, neighbours_[order_[i]].speaker_begin = speaker;
  }
  for (std::size_t i = order_.size(); i-- > 0;) {
    Neighbours& mine = neighbours_[order_[i]];
    const bool last = i + 1 == order_.size();
    const Neighbours& next = neighbours_[order_[last ? i : i + 1]];
    mine.corpus_end = last || next.corpus_begin != mine.corpus_begin ? i + 1 : next.corpus_end;
    mine.speaker_end = last || next.speaker_begin != mine.speaker_begin ? i + 1 : next.speaker_end;
  }
}

std::vector<std::vector<float>> ChangedClips::voices_for(std::size_t clip, const WaveDraw& draw) const {
  if (!draw.noise || draw.noise_kind != NoiseKind::babble) return {};
  const Neighbours& n = neighbours_[clip];
  const std::size_t mine = n.speaker_end - n.speaker_begin, others = n.corpus_end - n.corpus_begin - mine;
  const auto pick = [&](Random& random) -> std::optional<std::size_t> {
    if (others == 0) return std::nullopt;
    const std::size_t place = n.corpus_begin + static_cast<std::size_t>(random.below(others));
    return order_[place < n.speaker_begin ? place : place + mine];
  };
  auto voices = babble_voices(store_, kVoices, kVoices, Random(draw.seed, Purpose::wave, 1), pick);
  for (auto& voice : voices) voice = without_silent_ends(std::move(voice), store_.features.rate_hz);
  return voices;
}

std::vector<float> ChangedClips::wave(std::size_t clip, const TestCondition& condition) const {
  WaveDraw draw = condition.draw;
  draw.seed = seed_of(plain_.manifest.clips.at(clip).id);
  std::vector<float> plain;
  store_.copy(clip, plain);
  return change_wave(plain, store_.features.rate_hz, draw, voices_for(clip, draw));
}

FeatureSet ChangedClips::features(const TestCondition& condition, ThreadPool& pool) const {
  check(condition, plain_.config);
  FeatureSet set = plain_;
  set.cache_dir = "off";
  set.clips.resize(set.manifest.clips.size());
  set.extracted = set.clips.size();
  std::vector<std::unique_ptr<FeatureExtractor>> extractors(static_cast<std::size_t>(pool.threads()));
  for_each_clip(pool, set.clips.size(), {}, [&](std::size_t i, int worker) {
    auto& extractor = extractors[static_cast<std::size_t>(worker)];
    with_context(set.manifest.clips[i].path + " in " + condition.name, [&] {
      if (extractor == nullptr) extractor = std::make_unique<FeatureExtractor>(store_.features);
      set.clips[i] = extractor->extract(wave(i, condition));
      const auto& values = set.clips[i].values;
      if (set.clips[i].frames < 1 ||
          !std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
        throw Error(ErrorCode::input, "", "gives no features");
    });
  });
  return set;
}

}  // namespace serene
