#include "serene/call/simulator.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <span>

#include "serene/audio/noise.h"
#include "serene/audio/resample.h"
#include "serene/audio/trim.h"
#include "serene/audio/wave.h"

namespace serene {
namespace {

constexpr double kTrimDb = 35, kFadeS = 0.005, kActiveRangeDb = 30, kSilentDbfs = -90;
constexpr double kHighestPeak = 0.98;  // of a leg before the turns' gains
constexpr double kLongestClipS = 600, kGoodbyeS = 1, kHangUpS = 0.2;
constexpr int kBabbleTracks = 6, kBabbleClips = 4;

std::string place_of(std::size_t turn) { return "turns[" + std::to_string(turn) + "]"; }

double amplitude(double db) { return std::pow(10, db / 20); }

void scale(std::vector<float>& samples, double gain) {
  for (float& x : samples) x = static_cast<float>(gain * static_cast<double>(x));
}

void fade_ends(std::vector<float>& samples, int rate_hz) {
  const auto fade = std::min(samples.size() / 2, static_cast<std::size_t>(kFadeS * rate_hz));
  for (std::size_t i = 0; i < fade; ++i) {
    const auto w = static_cast<float>((static_cast<double>(i) + 0.5) / static_cast<double>(fade));
    samples[i] *= w;
    samples[samples.size() - 1 - i] *= w;
  }
}

// A clip on its way to the time line.
struct Piece {
  std::vector<float> samples;
  double level_dbfs = 0;
  TruthPiece truth;
};

class Renderer {
 public:
  Renderer(const Scenario& scenario, ClipSource& source) : s_(scenario), source_(source) {}

  CallAudio run() {
    check_words();
    prepare();
    for (std::size_t t = 0; t < s_.turns.size(); ++t) pieces_.push_back(pieces_of(t));
    set_levels();
    CallAudio call;
    call.title = s_.title;
    call.hang_up = s_.hang_up;
    call.rate_hz = {s_.rate_hz, s_.rate_hz};
    lay_out(call);
    add_noise(call);
    for (auto& leg : call.samples) {
      for (float& x : leg) x = std::clamp(x, -1.0f, 1.0f);
    }
    if (s_.telephone) apply(call, *s_.telephone);
    return call;
  }

 private:
  // Fills words_: the source's word for each turn's emotion. A file may be labelled with any of them too.
  void check_words() {
    for (std::size_t t = 0; t < s_.turns.size(); ++t) {
      const std::string& text = s_.turns[t].emotion;
      words_.push_back(text.empty() ? "" : source_.emotion_word(text));
      if (text.empty() || !words_.back().empty()) continue;
      std::string known;
      for (const std::string& word : source_.emotions()) known += (known.empty() ? "" : ", ") + word;
      throw Error(ErrorCode::input, place_of(t) + ".emotion", "unknown emotion")
          .expected("one of " + known)
          .got("\"" + printable(text, 60) + "\"");
    }
  }

  void prepare() {
    std::array<std::set<std::string>, leg_count> needed;
    for (std::size_t t = 0; t < s_.turns.size(); ++t) {
      const Turn& turn = s_.turns[t];
      if (turn.file.empty() && !words_[t].empty()) needed[static_cast<std::size_t>(turn.leg)].insert(words_[t]);
    }
    std::array<VoiceRequest, leg_count> legs;
    for (std::size_t leg = 0; leg < legs.size(); ++leg) {
      legs[leg] = {s_.voices[leg], {needed[leg].begin(), needed[leg].end()}};
    }
    source_.prepare(legs, s_.seed);
  }

  // At the scenario's rate, without silence at the ends, faded.
  Piece condition(SpokenClip clip) const {
    const auto fail = [&](const std::string& problem) {
      return Error(ErrorCode::input, printable(clip.name), problem);
    };
    if (clip.rate_hz < 1000 || clip.rate_hz > 768000) throw fail("sample rate out of range");
    if (clip.samples.empty()) throw fail("no samples");
    if (static_cast<double>(clip.samples.size()) > kLongestClipS * clip.rate_hz) {
      throw fail("too long for one turn").expected("at most " + Json(kLongestClipS).dump() + " s");
    }
    for (const float x : clip.samples) {
      if (!std::isfinite(x)) throw fail("holds samples that are no finite numbers");
    }
    Piece piece;
    piece.samples = resample(clip.samples, clip.rate_hz, s_.rate_hz);
    const Index hop = s_.rate_hz / 100;
    const SampleRange loud = trim<float>(piece.samples, kTrimDb, 2 * hop, hop);
    piece.samples = {piece.samples.begin() + loud.begin, piece.samples.begin() + loud.end};
    piece.level_dbfs = active_level_dbfs(piece.samples, s_.rate_hz);
    if (piece.level_dbfs < kSilentDbfs) throw fail("silent throughout");
    fade_ends(piece.samples, s_.rate_hz);
    piece.truth.clip = printable(clip.name);
    return piece;
  }

  SpokenClip read_clip(const std::string& file) const {
    namespace fs = std::filesystem;
    const std::string path = fs::path(file).is_absolute() ? file : (fs::path(s_.folder) / file).string();
    const Wave wave = read_wave(path);
    return {to_mono(wave), wave.rate_hz, fs::path(path).filename().string(), "", true};
  }

  std::vector<Piece> pieces_of(std::size_t t) {
    const Turn& turn = s_.turns[t];
    std::vector<Piece> list;
    const bool from_file = !turn.file.empty();
    with_context(place_of(t) + (from_file ? ".file" : ""), [&] {
      for (int k = 0; k < (from_file ? 1 : turn.clips); ++k) {
        SpokenClip clip = from_file ? read_clip(turn.file) : source_.clip(request(t, k));
        const bool whole = clip.whole_turn;
        const std::string emotion = clip.emotion.empty() ? words_[t] : clip.emotion;
        list.push_back(condition(std::move(clip)));
        TruthPiece& truth = list.back().truth;
        truth.leg = turn.leg;
        truth.turn = static_cast<int>(t);
        truth.text = printable(turn.text, 2000);
        if (turn.leg == Leg::customer) truth.emotion = emotion;
        check_length(list.back().samples.size());
        if (whole) break;
      }
    });
    return list;
  }

  ClipRequest request(std::size_t t, int k) {
    const Turn& turn = s_.turns[t];
    const auto leg = static_cast<std::size_t>(turn.leg);
    ClipRequest r;
    r.leg = turn.leg;
    r.voice = s_.voices[leg];
    r.emotion = words_[t];
    r.text = turn.text;
    r.turn = static_cast<int>(t);
    r.clip = k;
    r.take = takes_[{leg, words_[t]}]++;
    r.seed = s_.seed;
    return r;
  }

  // Overlaps make a call shorter than its pieces, never longer: bounding the sum bounds the call.
  void check_length(std::size_t samples) {
    total_ += samples;
    if (static_cast<double>(total_) > max_scenario_s * s_.rate_hz) {
      throw Error(ErrorCode::input, "", "the call is too long")
          .expected("at most " + Json(max_scenario_s).dump() + " s of speech");
    }
  }

  // Brings the pieces to their level and fills speech_dbfs_, the mean level of each leg's speech.
  void set_levels() {
    std::array<double, leg_count> sum{}, count{}, peak{};
    for (auto& turn : pieces_) {
      for (Piece& p : turn) {
        const auto leg = static_cast<std::size_t>(p.truth.leg);
        if (s_.level == LevelMode::clip) change_level(p, s_.level_dbfs - p.level_dbfs);
        sum[leg] += p.level_dbfs;
        count[leg] += 1;
        for (const float x : p.samples) peak[leg] = std::max(peak[leg], std::abs(static_cast<double>(x)));
      }
    }
    std::array<double, leg_count> gain_db{};
    speech_dbfs_ = {s_.level_dbfs, s_.level_dbfs};
    for (std::size_t leg = 0; leg < leg_count; ++leg) {
      if (count[leg] <= 0 || peak[leg] <= 0) continue;
      const double mean = sum[leg] / count[leg];
      const double room = 20 * std::log10(kHighestPeak / peak[leg]);
      if (s_.level != LevelMode::original) gain_db[leg] = std::min(s_.level_dbfs - mean, room);
      speech_dbfs_[leg] = mean + gain_db[leg];
    }
    for (auto& turn : pieces_) {
      for (Piece& p : turn) change_level(p, gain_db[static_cast<std::size_t>(p.truth.leg)]);
    }
  }

  static void change_level(Piece& piece, double db) {
    if (db == 0) return;
    scale(piece.samples, amplitude(db));
    piece.level_dbfs += db;
  }

  std::int64_t in_samples(double seconds) const { return std::llround(seconds * s_.rate_hz); }

  void lay_out(CallAudio& call) {
    std::array<std::int64_t, leg_count> leg_end{};
    std::int64_t end = 0;
    for (std::size_t t = 0; t < s_.turns.size(); ++t) {
      const Turn& turn = s_.turns[t];
      const auto leg = static_cast<std::size_t>(turn.leg);
      const double gain = amplitude(turn.gain_db);
      std::int64_t at = std::max(leg_end[leg], end + in_samples(turn.pause_s) - in_samples(turn.overlap_s));
      for (std::size_t k = 0; k < pieces_[t].size(); ++k) {
        if (k > 0) at += in_samples(turn.gap_s);
        place(call, pieces_[t][k], at, gain);
        at += static_cast<std::int64_t>(pieces_[t][k].samples.size());
      }
      leg_end[leg] = at;
      end = std::max(end, at);
      pieces_[t].clear();
    }
    end += in_samples(s_.hang_up ? kHangUpS : kGoodbyeS);
    for (auto& samples : call.samples) samples.resize(static_cast<std::size_t>(end), 0.0f);
    std::stable_sort(call.truth.begin(), call.truth.end(),
                     [](const TruthPiece& a, const TruthPiece& b) { return a.start_ms < b.start_ms; });
  }

  void place(CallAudio& call, Piece& piece, std::int64_t at, double gain) const {
    auto& samples = call.samples[static_cast<std::size_t>(piece.truth.leg)];
    const auto end = at + static_cast<std::int64_t>(piece.samples.size());
    if (static_cast<double>(end) > max_scenario_s * s_.rate_hz) {
      throw Error(ErrorCode::input, place_of(static_cast<std::size_t>(piece.truth.turn)), "the call is too long")
          .expected("at most " + Json(max_scenario_s).dump() + " s");
    }
    scale(piece.samples, gain);
    samples.resize(static_cast<std::size_t>(at), 0.0f);
    samples.insert(samples.end(), piece.samples.begin(), piece.samples.end());
    piece.truth.start_ms = at * 1000 / s_.rate_hz;
    piece.truth.end_ms = (end * 1000 + s_.rate_hz - 1) / s_.rate_hz;
    call.truth.push_back(piece.truth);
  }

  std::vector<std::vector<float>> babble_tracks() const {
    std::vector<std::vector<float>> tracks(kBabbleTracks);
    int take = 0;
    for (auto& track : tracks) {
      for (int k = 0; k < kBabbleClips; ++k) {
        ClipRequest r;
        r.babble = true;
        r.take = take++;
        r.seed = s_.seed;
        Piece piece = condition(source_.clip(r));
        change_level(piece, s_.level_dbfs - piece.level_dbfs);
        track.insert(track.end(), piece.samples.begin(), piece.samples.end());
      }
    }
    return tracks;
  }

  void add_noise(CallAudio& call) const {
    using Type = NoiseConfig::Type;
    if (s_.noise.type == Type::none) return;
    std::vector<std::vector<float>> tracks;
    with_context(s_.noise.type == Type::file ? "noise.file" : "noise", [&] {
      if (s_.noise.type == Type::babble) tracks = babble_tracks();
      if (s_.noise.type == Type::file) tracks = {condition(read_clip(s_.noise.file)).samples};
    });
    for (std::size_t leg = 0; leg < leg_count; ++leg) {
      auto& samples = call.samples[leg];
      const auto n = static_cast<Index>(samples.size());
      const double gain = amplitude(speech_dbfs_[leg] - s_.noise.snr_db);
      std::vector<float> noise;
      if (s_.noise.type == Type::white) noise = white_noise(n, s_.seed, leg);
      if (s_.noise.type == Type::pink) noise = pink_noise(n, s_.rate_hz, s_.seed, leg);
      if (s_.noise.type == Type::babble) noise = babble_noise(n, tracks, s_.seed, leg);
      if (s_.noise.type == Type::file) noise = repeated_noise(n, tracks[0], s_.seed, leg);
      for (std::size_t i = 0; i < samples.size(); ++i) {
        samples[i] = static_cast<float>(static_cast<double>(samples[i]) + gain * static_cast<double>(noise[i]));
      }
    }
  }

  const Scenario& s_;
  ClipSource& source_;
  std::vector<std::string> words_;
  std::vector<std::vector<Piece>> pieces_;  // per turn
  std::map<std::pair<std::size_t, std::string>, int> takes_;
  std::array<double, leg_count> speech_dbfs_{};
  std::size_t total_ = 0;
};

}  // namespace

std::string ClipSource::emotion_word(const std::string& text) const {
  const auto& words = emotions();
  return std::find(words.begin(), words.end(), text) != words.end() ? text : "";
}

void ClipSource::prepare(const std::array<VoiceRequest, leg_count>&, std::uint64_t) {}

double active_level_dbfs(std::span<const float> samples, int rate_hz) {
  const std::size_t block = std::max<std::size_t>(1, static_cast<std::size_t>(rate_hz / 50));
  std::vector<double> powers;
  for (std::size_t at = 0; at < samples.size(); at += block) {
    const std::size_t n = std::min(block, samples.size() - at);
    double power = 0;
    for (const float x : samples.subspan(at, n)) power += static_cast<double>(x) * static_cast<double>(x);
    powers.push_back(power / static_cast<double>(n));
  }
  const double loudest = powers.empty() ? 0 : *std::max_element(powers.begin(), powers.end());
  if (loudest <= 1e-12) return -120;
  const double floor = loudest * std::pow(10, -kActiveRangeDb / 10);
  double sum = 0, count = 0;
  for (const double p : powers) {
    if (p < floor) continue;
    sum += p;
    count += 1;
  }
  return 10 * std::log10(sum / count);
}

CallAudio render(const Scenario& scenario, ClipSource& source) { return Renderer(scenario, source).run(); }

}  // namespace serene
