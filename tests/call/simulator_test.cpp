#include "serene/call/simulator.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "temp_folder.h"
#include "serene/audio/noise.h"
#include "serene/audio/wave.h"
#include "tone_clips.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;
using serene::test::ToneClips;

namespace {

Turn turn(Leg leg, const std::string& emotion, int clips = 1) {
  Turn t;
  t.leg = leg;
  t.emotion = emotion;
  t.clips = clips;
  return t;
}

// Two people, five turns, one of which starts before the other has ended.
Scenario talk() {
  Scenario s;
  s.turns = {turn(Leg::agent, "neutral"), turn(Leg::customer, "neutral", 2), turn(Leg::agent, "calm"),
             turn(Leg::customer, "angry", 3), turn(Leg::agent, "calm")};
  s.turns[2].pause_s = 1.5;
  s.turns[3].pause_s = 0;
  s.turns[3].overlap_s = 0.5;
  return s;
}

CallAudio render_tones(const Scenario& s) {
  ToneClips source;
  return render(s, source);
}

std::span<const float> samples_of(const CallAudio& call, const TruthPiece& piece) {
  const auto& leg = call.leg(piece.leg);
  const auto rate = static_cast<std::size_t>(call.rate_hz[static_cast<std::size_t>(piece.leg)]);
  const auto begin = static_cast<std::size_t>(piece.start_ms) * rate / 1000;
  const auto end = std::min(leg.size(), static_cast<std::size_t>(piece.end_ms) * rate / 1000);
  return std::span(leg).subspan(begin, end - begin);
}

double rms_db(std::span<const float> y) {
  double power = 0;
  for (const float x : y) power += static_cast<double>(x) * static_cast<double>(x);
  return 10 * std::log10(power / static_cast<double>(y.size()) + 1e-20);
}

double correlation(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

TEST_CASE("the truth says where the sound is") {
  const CallAudio call = render_tones(talk());
  REQUIRE(call.truth.size() == 8);
  for (const Leg leg : {Leg::customer, Leg::agent}) {
    std::vector<bool> spoken(call.leg(leg).size(), false);
    for (const TruthPiece& piece : call.truth) {
      if (piece.leg != leg) continue;
      const double seconds = static_cast<double>(piece.end_ms - piece.start_ms) / 1000;
      CHECK(std::abs(seconds - 1) < 0.06);  // the clip without its silence
      CHECK(rms_db(samples_of(call, piece)) > -50);
      for (std::int64_t i = piece.start_ms * 16; i < piece.end_ms * 16; ++i) {
        if (i < static_cast<std::int64_t>(spoken.size())) spoken[static_cast<std::size_t>(i)] = true;
      }
    }
    for (std::size_t i = 0; i < spoken.size(); ++i) {
      if (!spoken[i]) REQUIRE(call.leg(leg)[i] == 0.0f);
    }
  }
}

TEST_CASE("turns follow each other with pauses, gaps and overlaps; the lengths add up") {
  const CallAudio call = render_tones(talk());
  const auto start = [&](std::size_t i) { return call.truth[i].start_ms; };
  const auto end = [&](std::size_t i) { return call.truth[i].end_ms; };
  const auto near = [](std::int64_t a, std::int64_t b) { return std::abs(a - b) <= 2; };
  CHECK(near(start(0), 400));
  CHECK(near(start(1), end(0) + 400));
  CHECK(near(start(2), end(1) + 250));
  CHECK(near(start(3), end(2) + 1500));
  CHECK(near(start(4), end(3) - 500));
  CHECK(near(start(5), end(4) + 250));
  CHECK(near(start(7), end(6) + 400));
  CHECK(near(call.duration_ms(), end(7) + 1000));
  CHECK(call.leg(Leg::customer).size() == call.leg(Leg::agent).size());

  Scenario cut = talk();
  cut.hang_up = true;
  const CallAudio hung_up = render_tones(cut);
  CHECK(hung_up.hang_up);
  CHECK(near(hung_up.duration_ms(), call.duration_ms() - 800));

  Scenario greedy = talk();  // nobody talks over themselves
  greedy.turns[3].overlap_s = 50;
  const CallAudio early = render_tones(greedy);
  CHECK(near(early.truth[3].start_ms, end(2)));
}

TEST_CASE("the truth holds turn, clip, text and the customer's emotion, never one of the agent") {
  Scenario s = talk();
  s.turns[1].text = "Hello there";
  const CallAudio call = render_tones(s);
  CHECK(call.truth[1].emotion == "neutral");
  CHECK(call.truth[1].text == "Hello there");
  CHECK(call.truth[1].turn == 1);
  CHECK(call.truth[2].clip == "tone neutral 1");
  CHECK(call.truth[4].emotion == "angry");
  for (const TruthPiece& piece : call.truth) {
    if (piece.leg == Leg::agent) CHECK(piece.emotion.empty());
  }
  const Json json = truth_to_json(call);
  REQUIRE(json.size() == 8);
  CHECK(json[1].dump().find(R"("leg":"customer","start_ms":)") != std::string::npos);
  CHECK_FALSE(json[0].contains("emotion"));
}

TEST_CASE("rendering is a function of scenario and clips, and a turn leaves the others alone") {
  Scenario s = talk();
  s.level = LevelMode::clip;
  s.noise.type = NoiseConfig::Type::pink;
  const CallAudio a = render_tones(s), b = render_tones(s);
  CHECK(a.samples == b.samples);
  CHECK(a.truth == b.truth);
  s.noise.type = NoiseConfig::Type::none;
  const CallAudio before = render_tones(s);
  s.turns[3] = turn(Leg::customer, "happy");
  const CallAudio after = render_tones(s);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(before.truth[i] == after.truth[i]);
    const auto x = samples_of(before, before.truth[i]), y = samples_of(after, after.truth[i]);
    CHECK(std::equal(x.begin(), x.end(), y.begin(), y.end()));
  }
}

TEST_CASE("a source is told what each leg needs, and is asked for different takes") {
  ToneClips source;
  Scenario s = talk();
  s.turns.push_back(turn(Leg::customer, "angry", 2));
  render(s, source);
  CHECK(source.prepared[0].emotions == std::vector<std::string>{"angry", "neutral"});
  CHECK(source.prepared[1].emotions == std::vector<std::string>{"calm", "neutral"});
  int next = 0;
  for (const ClipRequest& r : source.requests) {
    if (r.emotion == "angry") CHECK(r.take == next++);
  }
  CHECK(next == 5);
  ToneClips speaking;
  speaking.texts_whole = true;
  s.turns[3].text = "I want my money back";
  const CallAudio call = render(s, speaking);
  CHECK(std::count_if(call.truth.begin(), call.truth.end(), [](const TruthPiece& p) { return p.turn == 3; }) == 1);
}

TEST_CASE("levels: per clip, per leg, as recorded, and a turn's own gain") {
  Scenario s = talk();
  s.turns[4].gain_db = -12;
  const auto level = [](const CallAudio& call, std::size_t i) {
    return active_level_dbfs(samples_of(call, call.truth[i]), 16000);
  };
  s.level = LevelMode::clip;
  const CallAudio even = render_tones(s);
  for (std::size_t i = 0; i < 7; ++i) CHECK(level(even, i) == doctest::Approx(-26).epsilon(0.01));
  CHECK(level(even, 7) == doctest::Approx(-38).epsilon(0.01));
  s.level = LevelMode::leg;
  const CallAudio leg = render_tones(s);
  CHECK(level(leg, 4) - level(leg, 1) == doctest::Approx(20).epsilon(0.01));  // angry stays louder than neutral
  const double mean = (2 * level(leg, 1) + 3 * level(leg, 4)) / 5;
  CHECK(mean == doctest::Approx(-26).epsilon(0.01));
  s.level = LevelMode::original;
  CHECK(level(render_tones(s), 4) == doctest::Approx(-9.03).epsilon(0.01));
  s.turns[3].gain_db = 30;  // cut off at full scale, never beyond
  const CallAudio loud = render_tones(s);
  for (const float x : loud.leg(Leg::customer)) REQUIRE(std::abs(x) <= 1.0f);
  CHECK(level(loud, 4) > -1.5);
}

TEST_CASE("pieces begin and end without a click") {
  ToneClips source;
  source.silence_s = 0;  // starts and stops at full loudness
  const CallAudio call = render(talk(), source);
  for (const TruthPiece& piece : call.truth) {
    const auto y = samples_of(call, piece);
    double peak = 0;
    for (const float x : y) peak = std::max(peak, std::abs(static_cast<double>(x)));
    const auto start = static_cast<std::size_t>(piece.start_ms * 16);
    const auto& leg = call.leg(piece.leg);
    for (std::size_t i = start; i < start + 8; ++i) {
      CHECK(std::abs(static_cast<double>(leg[i])) < 0.15 * peak);
    }
  }
}

TEST_CASE("noise has the level asked for and differs between the legs") {
  for (const auto type : {NoiseConfig::Type::white, NoiseConfig::Type::pink, NoiseConfig::Type::babble}) {
    Scenario s = talk();
    s.level = LevelMode::clip;
    s.noise = {type, "", 15};
    Scenario quiet = s;
    quiet.noise.type = NoiseConfig::Type::none;
    const CallAudio with = render_tones(s), without = render_tones(quiet);
    std::array<std::vector<float>, 2> noise;
    for (std::size_t leg = 0; leg < 2; ++leg) {
      for (std::size_t i = 0; i < with.samples[leg].size(); ++i) {
        noise[leg].push_back(with.samples[leg][i] - without.samples[leg][i]);
      }
      CHECK(rms_db(noise[leg]) == doctest::Approx(-41).epsilon(0.01));
    }
    if (type != NoiseConfig::Type::babble) CHECK(std::abs(correlation(noise[0], noise[1])) < 0.1);
    CHECK(noise[0] != noise[1]);
  }
}

TEST_CASE("pink noise falls by 3 dB per octave") {
  const auto pink = pink_noise(1 << 19, 16000, 5, 0);
  CHECK(rms_db(pink) == doctest::Approx(0).epsilon(1e-4));
  // Power around a frequency, by a sum over a few hundred stretches of 1024 samples.
  const auto power_at = [&](double hz) {
    double sum = 0;
    for (std::size_t at = 0; at + 1024 <= pink.size(); at += 1024) {
      double re = 0, im = 0;
      for (std::size_t i = 0; i < 1024; ++i) {
        const double w = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / 1024);
        const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / 16000;
        re += w * static_cast<double>(pink[at + i]) * std::cos(phase);
        im += w * static_cast<double>(pink[at + i]) * std::sin(phase);
      }
      sum += re * re + im * im;
    }
    return 10 * std::log10(sum);
  };
  const double reference = power_at(250);
  CHECK(power_at(500) - reference == doctest::Approx(-3.01).epsilon(0.5));
  CHECK(power_at(1000) - reference == doctest::Approx(-6.02).epsilon(0.25));
  CHECK(power_at(4000) - reference == doctest::Approx(-12.04).epsilon(0.15));
}

TEST_CASE("a scenario over the telephone: other samples, the same truth") {
  Scenario s = talk();
  s.telephone = TelephoneConfig{8000, Codec::mulaw, true, 0.1, 2, 0, 60, 3};
  const CallAudio call = render_tones(s);
  CHECK(call.truth == render_tones(talk()).truth);
  CHECK(call.rate_hz[0] == 8000);
  REQUIRE(!call.lost.empty());
  std::array<std::int64_t, 2> end{};
  for (const LostPiece& piece : call.lost) {
    const auto leg = static_cast<std::size_t>(piece.leg);
    CHECK(piece.first >= end[leg]);
    end[leg] = piece.first + piece.count;
    REQUIRE(end[leg] <= static_cast<std::int64_t>(call.samples[leg].size()));
    for (std::int64_t i = piece.first; i < end[leg]; ++i) REQUIRE(call.samples[leg][static_cast<std::size_t>(i)] == 0);
  }
  CHECK(end[0] > 0);
  CHECK(end[1] > 0);
  CallAudio again = call;
  CHECK(error_of([&] { apply(again, *s.telephone); }).starts_with("telephone:"));
}

TEST_CASE("what cannot be rendered is told with its place") {
  ToneClips source;
  Scenario s = talk();
  s.turns[3].emotion = "furious";
  const std::string error = error_of([&] { render(s, source); });
  CHECK(error.starts_with("turns[3].emotion: unknown emotion (expected one of angry, "));
  CHECK(error.find("\"furious\"") != std::string::npos);
  CHECK(source.requests.empty());  // known before any clip is read

  s = talk();
  s.turns[2] = Turn{};
  s.turns[2].file = "none.wav";
  CHECK(error_of([&] { render_tones(s); }).starts_with("turns[2].file: none.wav: "));
  s = talk();
  s.noise = {NoiseConfig::Type::file, "street.wav", 20};
  CHECK(error_of([&] { render_tones(s); }).starts_with("noise.file: street.wav: "));

  source.seconds = 599;
  s = talk();
  s.turns.assign(12, turn(Leg::customer, "sad", 40));
  source.requests.clear();
  CHECK(error_of([&] { render(s, source); }).find("the call is too long") != std::string::npos);
  CHECK(source.requests.size() < 10);
  source.seconds = 700;
  CHECK(error_of([&] { render(talk(), source); }).starts_with("turns[0]: tone neutral 0: too long for one turn"));
}

TEST_CASE("a clip without usable sound is refused") {
  struct Broken : ToneClips {
    float fill = 0;
    int rate = 16000;
    std::size_t n = 16000;
    SpokenClip clip(const ClipRequest&) override { return {std::vector<float>(n, fill), rate, "clip", "", false}; }
  };
  const auto with = [](float fill, int rate, std::size_t n) {
    Broken source;
    source.fill = fill, source.rate = rate, source.n = n;
    return error_of([&] { render(talk(), source); });
  };
  CHECK(with(0, 16000, 16000).starts_with("turns[0]: clip: silent"));
  CHECK(with(1e-7f, 16000, 16000).starts_with("turns[0]: clip: silent"));
  CHECK(with(0, 16000, 0).starts_with("turns[0]: clip: no samples"));
  CHECK(with(1, 0, 16000).starts_with("turns[0]: clip: sample rate"));
  CHECK(with(std::numeric_limits<float>::quiet_NaN(), 16000, 100).starts_with("turns[0]: clip: holds samples"));
  CHECK(with(std::numeric_limits<float>::infinity(), 16000, 100).starts_with("turns[0]: clip: holds samples"));
}

TEST_CASE("files are turns too, relative to the scenario's folder") {
  const TempFolder folder;
  ToneClips source;
  source.rate_hz = 44100;
  const SpokenClip tone = source.clip({});
  write_wave16(folder / "answer.wav", tone.samples, 44100);
  Scenario s = talk();
  s.folder = folder.path();
  s.turns[2] = Turn{};
  s.turns[2].leg = Leg::customer;
  s.turns[2].file = "answer.wav";
  s.turns[2].emotion = "sad";
  const CallAudio call = render_tones(s);
  CHECK(call.truth[3].clip == "answer.wav");
  CHECK(call.truth[3].emotion == "sad");
  CHECK(rms_db(samples_of(call, call.truth[3])) > -50);
}

TEST_CASE("every scenario that ships renders to a call of a minute or two") {
  const std::filesystem::path folder = std::filesystem::path(SERENE_SOURCE_DIR) / "configs/call/scenarios";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    CAPTURE(entry.path().string());
    ToneClips source;
    source.seconds = 1.8;  // of usual corpus clips
    const CallAudio call = render(read_scenario(entry.path().string()), source);
    CHECK(call.duration_ms() >= 55'000);
    CHECK(call.duration_ms() <= 135'000);
  }
}
