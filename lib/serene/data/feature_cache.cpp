#include "serene/data/feature_cache.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "serene/audio/resample.h"
#include "serene/audio/wave.h"
#include "serene/core/error.h"
#include "serene/core/sha256.h"
#include "serene/data/content.h"
#include "serene/data/file_index.h"
#include "serene/io/file.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

// Rises whenever the same config would give other values.
constexpr int kCodeVersion = 1;
constexpr std::string_view kMagic = "SRNFEAT1";

struct Entry {
  FeatureMatrix features;
  std::string audio_hash;
};

// An entry's file:
//   magic (8) | u32 frames | u32 dim | audio hash (64 hex digits) | frames * dim float32 | SHA-256 of the key and all
//   before (32)
class EntryStore {
 public:
  EntryStore(const std::string& folder, const FeatureConfig& config) : dim_(dimension(config)) {
    const std::string id = sha256_hex("code " + std::to_string(kCodeVersion) + " " + fingerprint(config)).substr(0, 16);
    key_ = id + " ";
    if (!folder.empty()) folder_ = folder + "/features/" + id;
  }

  // std::nullopt when there is none; `damaged` when there was one that cannot be used.
  std::optional<Entry> read(const std::string& file_hash, bool& damaged) const {
    if (folder_.empty()) return std::nullopt;
    const std::string path = path_of(file_hash);
    std::error_code failed;
    if (!fs::exists(path, failed)) return std::nullopt;
    try {
      const std::vector<std::byte> bytes = read_file(path);
      auto entry = parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file_hash);
      damaged = !entry;
      return entry;
    } catch (const Error&) {
      damaged = true;
      return std::nullopt;
    }
  }

  // Without fsync: thousands of entries would wait for the disk, and a torn one is found by its checksum. Failure is no
  // error.
  void write(const std::string& file_hash, const Entry& entry, std::size_t clip) const {
    if (folder_.empty()) return;
    const fs::path path = path_of(file_hash);
    const fs::path temporary = path.string() + "." + std::to_string(getpid()) + "." + std::to_string(clip);
    std::error_code failed;
    fs::create_directories(path.parent_path(), failed);
    const std::string bytes = serialise(entry, file_hash);
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (out) {
      fs::rename(temporary, path, failed);
      if (!failed) return;
    }
    fs::remove(temporary, failed);
  }

 private:
  static constexpr std::size_t kHead = 8 + 4 + 4 + 64, kTail = 32;

  std::string path_of(const std::string& file_hash) const {
    return folder_ + "/" + file_hash.substr(0, 2) + "/" + file_hash + ".feat";
  }

  Sha256::Digest checksum(std::string_view bytes, const std::string& file_hash) const {
    Sha256 sha;
    sha.update(key_ + file_hash);
    sha.update(bytes);
    return sha.digest();
  }

  std::string serialise(const Entry& entry, const std::string& file_hash) const {
    const auto frames = static_cast<std::uint32_t>(entry.features.frames), dim = static_cast<std::uint32_t>(dim_);
    std::string bytes(kMagic);
    bytes.append(reinterpret_cast<const char*>(&frames), 4);
    bytes.append(reinterpret_cast<const char*>(&dim), 4);
    bytes += entry.audio_hash;
    bytes.append(reinterpret_cast<const char*>(entry.features.values.data()),
                 entry.features.values.size() * sizeof(float));
    const Sha256::Digest sum = checksum(bytes, file_hash);
    bytes.append(reinterpret_cast<const char*>(sum.data()), sum.size());
    return bytes;
  }

  std::optional<Entry> parse(std::string_view bytes, const std::string& file_hash) const {
    if (bytes.size() < kHead + kTail || bytes.substr(0, 8) != kMagic) return std::nullopt;
    std::uint32_t frames = 0, dim = 0;
    std::memcpy(&frames, bytes.data() + 8, 4);
    std::memcpy(&dim, bytes.data() + 12, 4);
    const std::uint64_t size = std::uint64_t{frames} * dim * sizeof(float);
    if (frames == 0 || dim != static_cast<std::uint32_t>(dim_) || bytes.size() != kHead + size + kTail)
      return std::nullopt;
    const Sha256::Digest sum = checksum(bytes.substr(0, kHead + size), file_hash);
    if (std::memcmp(sum.data(), bytes.data() + kHead + size, kTail) != 0) return std::nullopt;
    Entry entry;
    entry.audio_hash = bytes.substr(16, 64);
    entry.features = FeatureMatrix(static_cast<Index>(frames), dim_);
    std::memcpy(entry.features.values.data(), bytes.data() + kHead, size);
    return entry;
  }

  Index dim_;
  std::string key_, folder_;
};

// Throws Error when the clip cannot be used.
Entry extract_entry(FeatureExtractor& extractor, const std::string& path) {
  const Wave wave = read_wave(path);
  AudioContent content = content_of(wave);
  if (content.silent) throw Error(ErrorCode::input, path, "silent: no audio in the file");
  std::vector<float> mono = to_mono(wave);
  const int rate = extractor.config().rate_hz;
  if (wave.rate_hz != rate) mono = resample(mono, wave.rate_hz, rate);
  Entry entry{extractor.extract(mono), std::move(content.hash)};
  const auto& values = entry.features.values;
  if (entry.features.frames < 1) throw Error(ErrorCode::input, path, "too short for one frame");
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::input, path, "the features are not finite");
  }
  entry.features.values.shrink_to_fit();
  return entry;
}

struct Outcome {
  std::optional<Entry> entry;
  std::string reason;
  bool from_cache = false, damaged = false;
};

Outcome fetch(const std::string& path, std::size_t clip, FileIndex& index, const EntryStore& store,
              std::optional<FeatureExtractor>& extractor, const FeatureConfig& config) {
  Outcome outcome;
  try {
    const std::string hash = index.hash_of(path);
    outcome.entry = store.read(hash, outcome.damaged);
    outcome.from_cache = outcome.entry.has_value();
    if (outcome.from_cache) return outcome;
    if (!extractor) extractor.emplace(config);
    outcome.entry = extract_entry(*extractor, path);
    store.write(hash, *outcome.entry, clip);
  } catch (const Error& error) {
    outcome.reason = reason_of(error, path);
  } catch (const std::exception& error) {
    outcome.reason = printable(error.what());
  }
  return outcome;
}

void require_some(const FeatureSet& set, const Manifest& manifest) {
  if (!set.clips.empty()) return;
  const std::string first =
      set.manifest.skipped.empty() ? "" : set.manifest.skipped.back().path + ": " + set.manifest.skipped.back().reason;
  throw Error(ErrorCode::input, manifest.name.empty() ? "manifest" : manifest.name, "no clip can be used")
      .expected("at least 1")
      .got("0 of " + std::to_string(manifest.clips.size()))
      .hint(first);
}

}  // namespace

Index FeatureSet::longest() const noexcept {
  Index frames = 0;
  for (const FeatureMatrix& clip : clips) frames = std::max(frames, clip.frames);
  return frames;
}

std::size_t FeatureSet::bytes() const noexcept {
  std::size_t sum = 0;
  for (const FeatureMatrix& clip : clips) sum += clip.values.size() * sizeof(float);
  return sum;
}

std::string default_cache_dir() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/serene";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/serene";
  return ".serene-cache";
}

FeatureSet load_features(const Manifest& manifest, const FeatureConfig& config, const std::string& cache_dir,
                         ThreadPool& pool, const DataProgress& progress) {
  check(config);
  check_computable(config);
  std::string folder = cache_dir.empty() ? default_cache_dir() : cache_dir == "off" ? "" : cache_dir;
  const EntryStore store(folder, config);
  if (!folder.empty()) {
    std::error_code ignored;
    fs::create_directories(folder, ignored);
  }
  FileIndex index(folder.empty() ? "" : folder + "/files.index");
  std::vector<std::optional<FeatureExtractor>> extractors(static_cast<std::size_t>(pool.threads()));
  std::vector<Outcome> outcomes(manifest.clips.size());
  for_each_clip(pool, outcomes.size(), progress, [&](std::size_t i, int worker) {
    outcomes[i] = fetch(manifest.clips[i].path, i, index, store, extractors[static_cast<std::size_t>(worker)], config);
  });
  index.save();

  FeatureSet set;
  set.config = config;
  set.dim = dimension(config);
  set.cache_dir = folder.empty() ? "off" : folder;
  set.manifest = subset(manifest, {});
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Outcome& outcome = outcomes[i];
    set.damaged += outcome.damaged ? 1 : 0;
    if (!outcome.entry) {
      set.manifest.skipped.push_back({manifest.clips[i].path, outcome.reason});
      continue;
    }
    ++(outcome.from_cache ? set.from_cache : set.extracted);
    set.manifest.clips.push_back(manifest.clips[i]);
    set.clips.push_back(std::move(outcome.entry->features));
    set.audio_hashes.push_back(std::move(outcome.entry->audio_hash));
  }
  require_some(set, manifest);
  return set;
}

}  // namespace serene
