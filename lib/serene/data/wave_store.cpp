#include "serene/data/wave_store.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>

#include "serene/audio/features.h"
#include "serene/audio/trim.h"
#include "serene/audio/wave.h"
#include "serene/core/error.h"
#include "serene/core/sha256.h"
#include "serene/data/feature_cache.h"
#include "serene/data/file_index.h"
#include "serene/io/file.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

constexpr int kCodeVersion = 1;  // rises whenever the same config would give other samples
constexpr std::size_t kDigest = 32;

using Samples = std::vector<std::int16_t>;

bool has_frames(const FeatureConfig& c) { return c.layout == FeatureLayout::mfcc || c.layout == FeatureLayout::logmel; }

Samples to_16_bit(std::span<const float> y) {
  Samples out(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double scaled = 32768.0 * static_cast<double>(y[i]);
    out[i] = static_cast<std::int16_t>(std::lrint(std::clamp(scaled, -32768.0, 32767.0)));
  }
  return out;
}

// Everything that decides a stored clip's samples besides its file.
std::string key_of(const FeatureConfig& c, bool used_parts) {
  Json key = {{"code", kCodeVersion}, {"rate_hz", c.rate_hz}, {"used_parts", used_parts}};
  if (used_parts) {
    key["offset_s"] = c.offset_s, key["duration_s"] = c.duration_s;
    key["trim"] = has_frames(c) && c.trim_top_db ? Json(*c.trim_top_db) : Json(nullptr);
    key["win_length"] = c.win_length, key["hop_length"] = c.hop_length;
  }
  return sha256_hex(key.dump()).substr(0, 16);
}

// A clip's file: its samples, then SHA-256 of key, file hash and samples.
class WaveFiles {
 public:
  WaveFiles(const std::string& cache, std::string key) : key_(std::move(key)) {
    if (!cache.empty()) folder_ = cache + "/waves/" + key_;
  }

  std::optional<Samples> read(const std::string& file_hash) const {
    std::error_code failed;
    if (folder_.empty() || !fs::exists(path_of(file_hash), failed)) return std::nullopt;
    try {
      const std::vector<std::byte> bytes = read_file(path_of(file_hash));
      if (bytes.size() <= kDigest || bytes.size() % 2 != 0) return std::nullopt;
      Samples samples((bytes.size() - kDigest) / 2);
      std::memcpy(samples.data(), bytes.data(), bytes.size() - kDigest);
      const Sha256::Digest sum = checksum(file_hash, samples);
      if (std::memcmp(sum.data(), bytes.data() + bytes.size() - kDigest, kDigest) != 0) return std::nullopt;
      return samples;
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  // Failure is no error: the next run decodes again.
  void write(const std::string& file_hash, const Samples& samples, std::size_t clip) const {
    if (folder_.empty()) return;
    const std::string path = path_of(file_hash);
    const std::string temporary = path + "." + std::to_string(getpid()) + "." + std::to_string(clip);
    std::error_code failed;
    fs::create_directories(fs::path(path).parent_path(), failed);
    const Sha256::Digest sum = checksum(file_hash, samples);
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(samples.data()), static_cast<std::streamsize>(samples.size() * 2));
    out.write(reinterpret_cast<const char*>(sum.data()), kDigest);
    out.close();
    if (out) fs::rename(temporary, path, failed);
    if (!out || failed) fs::remove(temporary, failed);
  }

 private:
  std::string path_of(const std::string& file_hash) const {
    return folder_ + "/" + file_hash.substr(0, 2) + "/" + file_hash;
  }
  Sha256::Digest checksum(const std::string& file_hash, const Samples& samples) const {
    Sha256 sum;
    sum.update(key_ + " " + file_hash + " ");
    sum.update(std::as_bytes(std::span<const std::int16_t>(samples)));
    return sum.digest();
  }

  std::string key_, folder_;
};

}  // namespace

void WaveStore::copy(std::size_t clip, std::vector<float>& out) const {
  const Samples& samples = clips[clip];
  out.resize(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) out[i] = static_cast<float>(samples[i]) / 32768.0f;
}

std::size_t WaveStore::bytes() const noexcept {
  std::size_t sum = 0;
  for (const auto& clip : clips) sum += clip.size() * sizeof(std::int16_t);
  return sum;
}

std::vector<float> used_part(const FeatureConfig& c, std::span<const float> mono) {
  if (mono.empty()) throw Error(ErrorCode::input, "", "no samples");
  if (!has_frames(c)) return {mono.begin(), mono.end()};
  std::vector<float> part = cut_clip(c, mono);
  if (!c.trim_top_db) return part;
  const SampleRange loud = trim(std::span<const float>(part), *c.trim_top_db, c.win_length, c.hop_length);
  if (loud.end > loud.begin) {
    part.erase(part.begin() + loud.end, part.end());
    part.erase(part.begin(), part.begin() + loud.begin);
  }
  return part;
}

FeatureConfig features_of_used_part(FeatureConfig c) {
  if (!has_frames(c)) return c;
  c.offset_s = c.duration_s = 0;
  c.trim_top_db.reset();
  return c;
}

WaveStore load_waves(const Manifest& manifest, std::span<const std::size_t> clips, const FeatureConfig& features,
                     bool used_parts, const std::string& cache_dir, ThreadPool& pool, const DataProgress& progress) {
  check(features);
  std::vector<std::size_t> places(clips.begin(), clips.end());
  if (places.empty()) {
    places.resize(manifest.clips.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
  }
  const std::string cache = cache_dir.empty() ? default_cache_dir() : cache_dir == "off" ? "" : cache_dir;
  const WaveFiles files(cache, key_of(features, used_parts));
  FileIndex index(cache.empty() ? "" : cache + "/files.index");
  WaveStore store;
  store.features = used_parts ? features_of_used_part(features) : features;
  store.clips.resize(manifest.clips.size());
  for_each_clip(pool, places.size(), progress, [&](std::size_t i, int) {
    const std::string& path = manifest.clips[places[i]].path;
    Samples& samples = store.clips[places[i]];
    const std::string hash = cache.empty() ? "" : index.hash_of(path);
    if (auto kept = files.read(hash)) {
      samples = std::move(*kept);
      return;
    }
    const std::vector<float> mono = load_mono(path, features.rate_hz);
    samples = with_context(path, [&] { return to_16_bit(used_parts ? used_part(features, mono) : mono); });
    files.write(hash, samples, places[i]);
  });
  index.save();
  return store;
}

Index most_frames(const FeatureConfig& c, Index samples) {
  if (fixed_frames(c) > 0) return fixed_frames(c);
  if (c.center) return 1 + samples / c.hop_length;
  return 1 + std::max<Index>(0, samples - c.win_length) / c.hop_length;
}

}  // namespace serene
