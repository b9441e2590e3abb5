// Reading audio: every kind of WAV there is, and every way in which a file can be broken.
#include "serene/audio/wave.h"

#include <doctest/doctest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "serene/audio/features.h"
#include "serene/core/error.h"

using namespace serene;

namespace {

// A folder of this test's own, gone afterwards.
struct TempFolder {
  std::filesystem::path path;
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "serene_wave_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

std::string le(std::uint64_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return s;
}

std::string chunk(const std::string& id, const std::string& body) {
  return id + le(body.size(), 4) + body + (body.size() % 2 == 1 ? std::string(1, '\0') : "");
}

std::string format(int tag, int channels, int rate, int bits) {
  return chunk("fmt ", le(static_cast<std::uint64_t>(tag), 2) + le(static_cast<std::uint64_t>(channels), 2) +
                           le(static_cast<std::uint64_t>(rate), 4) +
                           le(static_cast<std::uint64_t>(rate * channels * bits / 8), 4) +
                           le(static_cast<std::uint64_t>(channels * bits / 8), 2) +
                           le(static_cast<std::uint64_t>(bits), 2));
}

std::string riff(const std::string& body) { return "RIFF" + le(body.size() + 4, 4) + "WAVE" + body; }

// 1000 samples of 16 bit: a ramp.
std::string ramp(int count = 1000) {
  std::string s;
  for (int i = 0; i < count; ++i) s += le(static_cast<std::uint16_t>(static_cast<std::int16_t>(i * 10 - 5000)), 2);
  return s;
}

std::string put(const TempFolder& folder, const std::string& name, const std::string& bytes) {
  std::ofstream(folder.file(name), std::ios::binary) << bytes;
  return folder.file(name);
}

std::string fault(const std::string& path) {
  try {
    load_mono(path, 16000);
  } catch (const Error& e) {
    const std::string text = e.what();
    CHECK(text.find(path) != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    return text;
  }
  return "none";
}

bool mentions(const std::string& text, const std::string& what) {
  CAPTURE(text);
  const bool found = text.find(what) != std::string::npos;
  CHECK(found);
  return found;
}

void check_ramp(const std::string& path, std::size_t count = 1000) {
  CAPTURE(path);
  const std::vector<float> y = load_mono(path, 16000);
  REQUIRE(y.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(y[i] == static_cast<float>(static_cast<int>(i) * 10 - 5000) / 32768.0f);
  }
}

std::string data_folder() {
  const char* given = std::getenv("SERENE_DATA");
  for (const std::string& folder :
       {std::string(given != nullptr ? given : ""), std::string(SERENE_SOURCE_DIR "/../shared/data"),
        std::string(SERENE_SOURCE_DIR "/data")}) {
    if (!folder.empty() && std::filesystem::is_directory(folder)) return folder;
  }
  return "";
}

std::vector<std::filesystem::path> sorted_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("what is no audio is named in one line") {
  TempFolder f;
  std::filesystem::create_directory(f.file("folder.wav"));
  mentions(fault(f.file("none.wav")), "no such file");
  mentions(fault(f.file("folder.wav")), "folder");
  mentions(fault(put(f, "empty.wav", "")), "empty file");
  mentions(fault(put(f, "text.wav", "these are\nnot samples\n")), "text file");
  mentions(fault(put(f, "lfs.wav", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")),
           "Git-LFS pointer, not audio; run git lfs pull");
  mentions(fault(put(f, "noise.wav", std::string("\x01\x02\x00\xff\x17", 5) + ramp())), "not a readable audio file");
  mentions(fault(put(f, "junk.mp3", "\xff\xfb\x90\x64" + ramp())), "no MP3 frames");
  mentions(fault(put(f, "tag.mp3", std::string("ID3\x03\x00\x00\x00\x00\x00\x00", 10) + ramp())), "no MP3 frames");
  mentions(fault(put(f, "only_riff.wav", "RIFF" + le(4, 4) + "WAVE")), "not a readable audio file");
  mentions(fault(put(f, "no_data.wav", riff(format(1, 1, 16000, 16)))), "");
  mentions(fault(put(f, "cut_header.wav", riff(format(1, 1, 16000, 16)).substr(0, 20))), "");
  mentions(fault(put(f, "zero.wav", riff(format(1, 1, 16000, 16) + chunk("data", "")))), "no samples");
  mentions(fault(put(f, "rate0.wav", riff(format(1, 1, 0, 16) + chunk("data", ramp())))), "");
  mentions(fault(put(f, "rate.wav", riff(format(1, 1, 40000000, 16) + chunk("data", ramp())))), "rate");
  mentions(fault(put(f, "channels0.wav", riff(format(1, 0, 16000, 16) + chunk("data", ramp())))), "");
  CHECK(fault(put(f, "channels0.wav", riff(format(1, 0, 16000, 16) + chunk("data", ramp())))) != "none");
  CHECK(fault("/dev/zero").find("not a regular file") != std::string::npos);
}

TEST_CASE("truncated files are refused, unknown sizes are read to the end") {
  TempFolder f;
  const std::string whole = riff(format(1, 1, 16000, 16) + chunk("data", ramp()));
  mentions(fault(put(f, "cut.wav", whole.substr(0, whole.size() - 500))), "truncated");
  for (const std::uint64_t size : {0xffffffffull, 0x7ffffff0ull}) {
    check_ramp(put(f, "unknown.wav", riff(format(1, 1, 16000, 16) + "data" + le(size, 4) + ramp())));
  }
  for (const std::uint64_t size : {0ull, 1ull, 10ull, 0xffffffffull, 0x7fffffffull}) {
    check_ramp(put(f, "riff_size.wav", "RIFF" + le(size, 4) + whole.substr(8)));
  }
  // Four thousand million frames claimed, four thousand there: nothing near that is allocated.
  mentions(fault(put(f, "giant.wav", riff(format(1, 1, 16000, 16) + "data" + le(0x70000000u, 4) + ramp()))),
           "truncated");
}

TEST_CASE("every kind of WAV reads") {
  TempFolder f;
  const std::string fmt = format(1, 1, 16000, 16), data = chunk("data", ramp());
  check_ramp(put(f, "plain.wav", riff(fmt + data)));
  check_ramp(
      put(f, "odd.wav", riff(fmt + chunk("junk", "abc") + chunk("LIST", "INFO") + data + chunk("_PMX", "<x/>!"))));
  check_ramp(
      put(f, "fllr.wav",
          riff(fmt + chunk("FLLR", std::string(4044 - 8, '\0')) + data + chunk("bext", std::string(602, '\0')))));
  check_ramp(put(f, "head4096.wav", riff(chunk("JUNK", std::string(4096 - 12 - 8 - 24 - 8, '\0')) + fmt + data)));
  std::string longer = fmt.substr(8) + le(0, 2);
  check_ramp(put(f, "head46.wav", riff(chunk("fmt ", longer) + data)));
  const std::string guid = le(1, 2) + std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
  std::string extensible = format(0xfffe, 1, 16000, 16).substr(8) + le(22, 2) + le(16, 2) + le(4, 4) + guid;
  check_ramp(put(f, "extensible.wav", riff(chunk("fmt ", extensible) + data)));
  const std::string ds64 = chunk("ds64", le(3000, 8) + le(2000, 8) + le(1000, 8) + le(0, 4));
  check_ramp(
      put(f, "rf64.wav", "RF64" + le(0xffffffffu, 4) + "WAVE" + ds64 + fmt + "data" + le(0xffffffffu, 4) + ramp()));
  const std::string short64 = chunk("ds64", le(3000, 8) + le(20000, 8) + le(10000, 8) + le(0, 4));
  mentions(fault(put(f, "rf64cut.wav",
                     "RF64" + le(0xffffffffu, 4) + "WAVE" + short64 + fmt + "data" + le(0xffffffffu, 4) + ramp())),
           "truncated");
  std::string doubles;
  for (int i = 0; i < 1000; ++i) {
    const double v = (i * 10 - 5000) / 32768.0;
    std::uint64_t bits;
    std::memcpy(&bits, &v, 8);
    doubles += le(bits, 8);
  }
  check_ramp(put(f, "float64.wav", riff(format(3, 1, 16000, 64) + chunk("data", doubles))));
  CHECK(load_mono(put(f, "one.wav", riff(fmt + chunk("data", ramp(1)))), 16000).size() == 1);
}

TEST_CASE("channels are averaged, rates converted, pieces cut") {
  TempFolder f;
  std::string eight;
  for (int i = 0; i < 19200; ++i) {
    for (int c = 0; c < 8; ++c) eight += le(static_cast<std::uint16_t>(c * 1000), 2);
  }
  const std::string path = put(f, "eight.wav", riff(format(1, 8, 192000, 16) + chunk("data", eight)));
  CHECK(read_wave(path).frames() == 19200);
  CHECK(read_wave(path).channels == 8);
  const std::vector<float> y = load_mono(path, 16000);
  CHECK(y.size() == 1600);
  CHECK(y[800] == doctest::Approx(3500.0 / 32768).epsilon(1e-4));
  CHECK(load_mono(path, 0, 0.05).size() == 9600);
  CHECK(load_mono(path, 16000, 0.05, 0.01).size() == 160);
  CHECK_THROWS_AS(load_mono(path, 16000, 7), Error);

  write_wave16(f.file("out.wav"), std::vector<float>{0.0f, 0.5f, 2.0f, -2.0f}, 16000);
  CHECK(load_mono(f.file("out.wav"), 16000) == std::vector<float>{0.0f, 0.5f, 32767.0f / 32768, -1.0f});
  CHECK_THROWS_AS(write_wave16(f.file("no/such/out.wav"), y, 16000), Error);
}

TEST_CASE("samples that are no numbers are named; loud, silent and denormal ones give finite features") {
  TempFolder f;
  const auto floats = [&](const std::string& name, const std::function<float(int)>& value) {
    std::string body;
    for (int i = 0; i < 16000; ++i) {
      const float v = value(i);
      std::uint32_t bits;
      std::memcpy(&bits, &v, 4);
      body += le(bits, 4);
    }
    return put(f, name, riff(format(3, 2, 16000, 32) + chunk("data", body)));
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  mentions(fault(floats("nan.wav", [&](int i) { return i == 2467 ? nan : 0.1f; })), "sample 1233 of channel 1 is NaN");
  mentions(fault(floats("inf.wav", [&](int i) { return i == 4 ? -inf : 0.1f; })), "sample 2 of channel 0 is infinite");
  const std::vector<std::string> odd{floats("denormal.wav", [](int i) { return i % 3 == 0 ? 1e-40f : -1e-42f; }),
                                     floats("silence.wav", [](int) { return 0.0f; }),
                                     floats("dc.wav", [](int) { return 1.0f; }),
                                     floats("square.wav", [](int i) { return i / 64 % 2 == 0 ? 1.0f : -1.0f; }),
                                     floats("huge.wav", [](int i) { return i % 2 == 0 ? 3e38f : -1e38f; })};
  for (const std::string& path : odd) {
    for (const std::string& preset : {std::string("mfcc-40"), std::string("logmel-64")}) {
      CAPTURE(path);
      const FeatureMatrix m = extract_file(feature_preset(preset), path);
      CHECK(m.frames >= 1);
      bool finite = true;
      for (const float v : m.values) finite = finite && std::isfinite(v);
      CHECK(finite);
    }
  }
  mentions(fault(put(f, "cut.flac", "fLaC")), "");
}

TEST_CASE("MP3 reads") {
  TempFolder f;
  SF_INFO info{};
  info.channels = 2;
  info.samplerate = 44100;
  info.format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
  SNDFILE* file = sf_open(f.file("a.mp3").c_str(), SFM_WRITE, &info);
  if (file == nullptr) {
    MESSAGE("skipped: this libsndfile does not write MP3");
    return;
  }
  std::vector<float> tone(88200);
  for (std::size_t i = 0; i < tone.size(); ++i)
    tone[i] = static_cast<float>(0.5 * std::sin(0.03 * static_cast<double>(i / 2)));
  sf_write_float(file, tone.data(), static_cast<sf_count_t>(tone.size()));
  sf_close(file);
  const std::vector<float> y = load_mono(f.file("a.mp3"), 16000);
  CHECK(y.size() >= 15900);
  CHECK(*std::max_element(y.begin(), y.end()) == doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("truncated FLAC is refused") {
  TempFolder f;
  SF_INFO info{};
  info.channels = 1;
  info.samplerate = 16000;
  info.format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
  std::vector<short> pcm(40000);
  for (std::size_t i = 0; i < pcm.size(); ++i) pcm[i] = static_cast<short>(i * i % 5003);
  SNDFILE* file = sf_open(f.file("a.flac").c_str(), SFM_WRITE, &info);
  REQUIRE(file != nullptr);
  sf_write_short(file, pcm.data(), static_cast<sf_count_t>(pcm.size()));
  sf_close(file);
  CHECK(load_mono(f.file("a.flac"), 16000).size() == pcm.size());
  std::filesystem::resize_file(f.file("a.flac"), std::filesystem::file_size(f.file("a.flac")) / 2);
  CHECK(fault(f.file("a.flac")) != "none");
}

TEST_CASE("the RAVDESS originals agree with their resampled copies") {
  const std::string data = data_folder();
  const std::vector<std::filesystem::path> originals = sorted_files(data + "/ravdess_48k_sample");
  if (data.empty() || originals.empty()) {
    MESSAGE("skipped: no corpora (set SERENE_DATA)");
    return;
  }
  int compared = 0;
  for (const std::filesystem::path& path : originals) {
    if (path.extension() != ".wav") continue;
    const std::string name = path.stem().string();
    const std::string copy = data + "/ravdess/Actor_" + name.substr(name.size() - 2) + "/" + name + ".flac";
    if (!std::filesystem::exists(copy)) continue;
    CAPTURE(name);
    const std::vector<float> a = load_mono(path.string(), 16000), b = load_mono(copy, 16000);
    // The copies were made by sox, which rounds the length down where serene rounds up.
    REQUIRE(a.size() - b.size() <= 1);
    double signal = 0, noise = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      signal += static_cast<double>(b[i]) * b[i];
      noise += std::pow(static_cast<double>(a[i]) - b[i], 2);
    }
    CHECK(10 * std::log10(signal / noise) > 30);
    ++compared;
  }
  CHECK(compared > 0);
}

TEST_CASE("CREMA-D in Opus reads at 16 kHz") {
  const std::vector<std::filesystem::path> clips = sorted_files(data_folder() + "/cremad");
  if (clips.empty()) {
    MESSAGE("skipped: no corpora (set SERENE_DATA)");
    return;
  }
  for (std::size_t i = 0; i < clips.size(); i += clips.size() / 8 + 1) {
    const Wave wave = read_wave(clips[i].string());
    CHECK(wave.channels == 1);
    CHECK(wave.rate_hz == 16000);
    CHECK(wave.frames() > 8000);
  }
}
