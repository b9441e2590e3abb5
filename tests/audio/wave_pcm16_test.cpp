// The short way into plain WAV files gives what libsndfile gives, and leaves everything else to it.
#include "serene/audio/wave_pcm16.h"

#include <doctest/doctest.h>
#include <sndfile.h>

#include <cstdint>
#include <fstream>
#include <vector>

#include "serene/audio/wave.h"
#include "serene/core/random.h"
#include "temp_folder.h"

using namespace serene;
using test::TempFolder;

namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return s;
}

std::string chunk(const std::string& id, const std::string& body) {
  return id + little(body.size(), 4) + body + (body.size() % 2 == 1 ? std::string(1, '\0') : "");
}

std::string format_chunk(std::uint64_t tag, std::uint64_t channels, std::uint64_t rate, std::uint64_t bits) {
  const std::uint64_t block = channels * bits / 8;
  return chunk("fmt ", little(tag, 2) + little(channels, 2) + little(rate, 4) + little(rate * block, 4) +
                           little(block, 2) + little(bits, 2));
}

std::string samples(std::uint64_t count) {
  Random random(9, Purpose::test, count);
  std::string s;
  for (std::uint64_t i = 0; i < count; ++i) s += little(random.below(65536), 2);
  return s;
}

std::string riff(const std::string& body) { return "RIFF" + little(body.size() + 4, 4) + "WAVE" + body; }

std::string write(const TempFolder& folder, const std::string& name, const std::string& bytes) {
  std::ofstream(folder / name, std::ios::binary) << bytes;
  return folder / name;
}

std::vector<float> by_libsndfile(const std::string& path) {
  SF_INFO info{};
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
  REQUIRE(file != nullptr);
  std::vector<float> all(static_cast<std::size_t>(info.frames * info.channels));
  CHECK(sf_readf_float(file, all.data(), info.frames) == info.frames);
  sf_close(file);
  return all;
}

}  // namespace

TEST_CASE("plain WAV gives the bits of libsndfile, whatever its chunks and channels") {
  const TempFolder folder;
  const std::string list = chunk("LIST", "INFOabc"), junk = chunk("JUNK", std::string(1001, 'x'));
  for (const std::uint64_t channels : {1u, 2u, 3u, 16u}) {
    for (const std::uint64_t frames : {1u, 2u, 511u, 8192u, 20001u}) {
      CAPTURE(channels);
      CAPTURE(frames);
      const std::string data = chunk("data", samples(channels * frames)), kind = format_chunk(1, channels, 22050, 16);
      for (const std::string& body : {kind + data, kind + list + data + list, junk + kind + data}) {
        const std::string path = write(folder, "a.wav", riff(body));
        const auto plain = Pcm16File::open(path);
        REQUIRE(plain);
        CHECK(plain->frames() == static_cast<Index>(frames));
        const Wave wave = read_wave(path);
        CHECK(wave.channels == static_cast<int>(channels));
        CHECK(wave.rate_hz == 22050);
        CHECK(wave.samples == by_libsndfile(path));
        CHECK(load_mono(path, 0) == to_mono(wave));
      }
    }
  }
}

TEST_CASE("pieces of any size and used memory give the same samples") {
  const TempFolder folder;
  const std::string path = write(folder, "a.wav", riff(format_chunk(1, 2, 16000, 16) + chunk("data", samples(30000))));
  const std::vector<float> whole = by_libsndfile(path);
  for (const std::size_t piece : {2u, 3u, 7u, 1000u, 16384u, 16386u, 40000u}) {
    WaveReader reader(path);
    std::vector<float> all, block(piece);
    while (const Index got = reader.read(block)) all.insert(all.end(), block.begin(), block.begin() + got * 2);
    CHECK(all == whole);
  }
  const std::string mono = write(folder, "b.wav", riff(format_chunk(1, 1, 16000, 16) + chunk("data", samples(5000))));
  const std::vector<float> all = by_libsndfile(mono);
  std::vector<float> used(100000, 5.0f);
  load_mono(mono, 16000, 0, 0, used);
  CHECK(used == all);
  load_mono(mono, 16000, 0, 0.1, used);
  CHECK(used == std::vector<float>(all.begin(), all.begin() + 1600));
  load_mono(mono, 16000, 0.1, 0.1, used);
  CHECK(used == std::vector<float>(all.begin() + 1600, all.begin() + 3200));
}

TEST_CASE("everything that is not plain is left to libsndfile") {
  const TempFolder folder;
  const std::string kind = format_chunk(1, 1, 16000, 16), data = chunk("data", samples(100));
  const std::vector<std::string> others = {"",
                                           "RIFF",
                                           riff(kind),
                                           riff(data),
                                           riff(data + kind),
                                           riff(kind + chunk("data", "")),
                                           riff(format_chunk(3, 1, 16000, 32) + data),
                                           riff(format_chunk(1, 1, 16000, 8) + data),
                                           riff(format_chunk(1, 1, 16000, 24) + data),
                                           riff(format_chunk(1, 0, 16000, 16) + data),
                                           riff(format_chunk(1, 17, 16000, 16) + data),
                                           riff(format_chunk(1, 1, 999, 16) + data),
                                           riff(format_chunk(1, 1, 768001, 16) + data),
                                           riff(format_chunk(1, 2, 16000, 16) + chunk("data", samples(3))),
                                           riff(kind + chunk("data", "abc")),
                                           riff(kind + "data" + little(202, 4) + samples(100)),
                                           riff(kind + "data" + little(0xffffffff, 4) + samples(100)),
                                           riff(kind + kind + data),
                                           riff(kind + "LIST" + little(0xfffffff0, 4) + data),
                                           riff(kind + chunk("LIST", std::string(5000, 'x')) + data),
                                           riff(kind.substr(0, 12)),
                                           "RIFX" + riff(kind + data).substr(4)};
  for (std::size_t i = 0; i < others.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(Pcm16File::open(write(folder, "x.wav", others[i])));
  }
  CHECK_FALSE(Pcm16File::open(folder.path()));
  CHECK_FALSE(Pcm16File::open(folder / "missing.wav"));
  CHECK(Pcm16File::open(write(folder, "x.wav", riff(kind + data))));
}

TEST_CASE("a file that shrinks while it is read ends there") {
  const TempFolder folder;
  const std::string path = write(folder, "a.wav", riff(format_chunk(1, 1, 16000, 16) + chunk("data", samples(50000))));
  auto file = Pcm16File::open(path);
  REQUIRE(file);
  std::vector<float> block(10000);
  CHECK(file->read(block) == 10000);
  std::filesystem::resize_file(path, 44 + 2 * 15000 + 1);
  CHECK(file->read(block) == 5000);
  CHECK(file->read(block) == 0);
}
