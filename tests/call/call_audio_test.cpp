#include "serene/call/call_audio.h"

#include <doctest/doctest.h>

#include <sndfile.h>
#include <cmath>

#include "temp_folder.h"
#include "serene/audio/wave.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

std::vector<float> ramp(std::size_t n, float top) {
  std::vector<float> y(n);
  for (std::size_t i = 0; i < n; ++i) y[i] = top * static_cast<float>(i % 100) / 100.0f;
  return y;
}

void write_channels(const std::string& path, const std::vector<std::vector<float>>& channels, int rate_hz) {
  SF_INFO info{};
  info.samplerate = rate_hz;
  info.channels = static_cast<int>(channels.size());
  info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file != nullptr);
  std::vector<float> frames;
  for (std::size_t i = 0; i < channels[0].size(); ++i) {
    for (const auto& channel : channels) frames.push_back(channel[i]);
  }
  sf_writef_float(file, frames.data(), static_cast<sf_count_t>(channels[0].size()));
  sf_close(file);
}

}  // namespace

TEST_CASE("two recordings become two legs with rates of their own") {
  const TempFolder folder;
  write_channels(folder / "c.wav", {ramp(8000, 0.5f)}, 8000);
  write_channels(folder / "a.wav", {ramp(22050, 0.25f)}, 44100);
  const CallAudio call = read_call(folder / "c.wav", folder / "a.wav");
  CHECK(call.rate_hz == std::array<int, 2>{8000, 44100});
  CHECK(call.samples[0] == ramp(8000, 0.5f));
  CHECK(call.samples[1] == ramp(22050, 0.25f));
  CHECK(call.agent_leg);
  CHECK(call.duration_ms() == 1000);
  CHECK(call.title == "c.wav and a.wav");
  write_channels(folder / "odd.wav", {ramp(11025, 0.5f)}, 11025);
  CHECK(read_customer_call(folder / "odd.wav").rate_hz[0] == 16000);  // a rate that blocks of 20 ms do not divide
  write_channels(folder / "low.wav", {ramp(6000, 0.5f)}, 6000);
  CHECK(read_customer_call(folder / "low.wav").rate_hz[0] == 8000);
  CHECK(read_customer_call(folder / "low.wav").samples[0].size() == 8000);
}

TEST_CASE("a stereo recording has one speaker per channel") {
  const TempFolder folder;
  write_channels(folder / "s.wav", {ramp(16000, 0.5f), ramp(16000, -0.25f)}, 16000);
  const CallAudio left = read_stereo_call(folder / "s.wav", 0), right = read_stereo_call(folder / "s.wav", 1);
  CHECK(left.samples[0] == ramp(16000, 0.5f));
  CHECK(left.samples[1] == ramp(16000, -0.25f));
  CHECK(right.samples[0] == left.samples[1]);
  CHECK(right.samples[1] == left.samples[0]);
}

TEST_CASE("a recording whose speakers cannot be told apart is refused") {
  const TempFolder folder;
  write_channels(folder / "mono.wav", {ramp(8000, 0.5f)}, 16000);
  write_channels(folder / "twice.wav", {ramp(8000, 0.5f), ramp(8000, 0.5f)}, 16000);
  write_channels(folder / "many.wav", {ramp(80, 0.1f), ramp(80, 0.2f), ramp(80, 0.3f)}, 16000);
  const std::string mono = error_of([&] { read_stereo_call(folder / "mono.wav", 0); });
  CHECK(mono.find("mono.wav: one channel") != std::string::npos);
  CHECK(mono.find("--customer-only") != std::string::npos);
  CHECK(error_of([&] { read_stereo_call(folder / "twice.wav", 0); }).find("equal") != std::string::npos);
  CHECK(error_of([&] { read_stereo_call(folder / "many.wav", 0); }).find("3 channels") != std::string::npos);
  CHECK(error_of([&] { read_stereo_call(folder / "mono.wav", 2); }).find("out of range") != std::string::npos);
  CHECK(error_of([&] { read_call(folder / "mono.wav", folder / "twice.wav"); }).find("twice.wav") != std::string::npos);
  CHECK(error_of([&] { read_customer_call(folder / "twice.wav"); }).find("one speaker") != std::string::npos);
  CHECK(error_of([&] { read_customer_call(folder / "none.wav"); }).find("none.wav") != std::string::npos);

  const CallAudio declared = read_customer_call(folder / "mono.wav");
  CHECK_FALSE(declared.agent_leg);
  CHECK(declared.samples[1].empty());
}

TEST_CASE("an empty leg and samples that are no numbers are refused with the file's name") {
  const TempFolder folder;
  write_channels(folder / "good.wav", {ramp(800, 0.5f)}, 16000);
  write_channels(folder / "empty.wav", {{}}, 16000);
  std::vector<float> bad = ramp(800, 0.5f);
  bad[400] = std::nanf("");
  write_channels(folder / "nan.wav", {bad}, 16000);
  for (const char* name : {"empty.wav", "nan.wav"}) {
    const std::string error = error_of([&] { read_call(folder / "good.wav", folder / name); });
    CHECK_MESSAGE(error.find(name) != std::string::npos, error);
    CHECK(error.find('\n') == std::string::npos);
  }
}
