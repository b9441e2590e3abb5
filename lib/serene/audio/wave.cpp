#include "serene/audio/wave.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "serene/audio/resample.h"
#include "serene/audio/wave_pcm16.h"
#include "serene/audio/wave_probe.h"
#include "serene/core/error.h"

namespace serene {
namespace {

constexpr int kLowestRate = 1000, kHighestRate = 768000;
constexpr std::size_t kMaxSamples = std::size_t(1) << 28;
constexpr std::size_t kBlock = 65536;  // samples per read

struct CloseFile {
  void operator()(SNDFILE* file) const noexcept { sf_close(file); }
};

[[noreturn]] void throw_too_long(const std::string& path) {
  throw Error(ErrorCode::input, path, "too long to be read at once")
      .expected("at most " + std::to_string(kMaxSamples) + " samples")
      .hint("cut the recording into pieces");
}

}  // namespace

struct WaveReader::Impl {
  std::string path;
  std::optional<Pcm16File> plain;  // read without libsndfile
  std::unique_ptr<SNDFILE, CloseFile> file;
  SF_INFO info{};
  sf_count_t done = 0;

  void check_end() const {
    if (plain) return;
    const int fault = sf_error(file.get());
    if (fault != SF_ERR_NO_ERROR) {
      throw Error(ErrorCode::input, path, std::string("broken audio stream: ") + printable(sf_error_number(fault)));
    }
    // FLAC knows its length; a stream that ends before it was cut off.
    const bool flac = (info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC;
    if (flac && info.frames > done && info.frames < SF_COUNT_MAX) {
      throw Error(ErrorCode::input, path, "truncated: the stream ends before its header says")
          .expected(std::to_string(info.frames) + " samples per channel")
          .got(std::to_string(done));
    }
  }
};

WaveReader::WaveReader(const std::string& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  SF_INFO& info = impl_->info;
  impl_->plain = Pcm16File::open(path);
  if (impl_->plain) {
    info.channels = impl_->plain->channels();
    info.samplerate = impl_->plain->rate_hz();
    info.frames = impl_->plain->frames();
    return;
  }
  probe_audio_file(path);
  impl_->file.reset(sf_open(path.c_str(), SFM_READ, &info));
  if (!impl_->file) {
    throw Error(ErrorCode::input, path, std::string("not a readable audio file: ") + printable(sf_strerror(nullptr)));
  }
  if (info.channels < 1) throw Error(ErrorCode::input, path, "no channels");
  if (info.samplerate < kLowestRate || info.samplerate > kHighestRate) {
    throw Error(ErrorCode::input, path, "absurd sample rate")
        .expected(std::to_string(kLowestRate) + " to " + std::to_string(kHighestRate) + " Hz")
        .got(std::to_string(info.samplerate));
  }
}

WaveReader::~WaveReader() = default;
WaveReader::WaveReader(WaveReader&&) noexcept = default;
WaveReader& WaveReader::operator=(WaveReader&&) noexcept = default;

int WaveReader::rate_hz() const noexcept { return impl_->info.samplerate; }
int WaveReader::channels() const noexcept { return impl_->info.channels; }
Index WaveReader::known_frames() const noexcept { return impl_->plain ? impl_->plain->frames() : 0; }

Index WaveReader::read(std::span<float> interleaved) {
  const Index wanted = static_cast<Index>(interleaved.size()) / channels();
  if (wanted == 0) return 0;
  if (impl_->plain) return impl_->plain->read(interleaved);
  const sf_count_t got = sf_readf_float(impl_->file.get(), interleaved.data(), wanted);
  if (got <= 0) {
    impl_->check_end();
    return 0;
  }
  for (Index i = 0; i < got * channels(); ++i) {
    const float v = interleaved[static_cast<std::size_t>(i)];
    if (!std::isfinite(v)) {
      throw Error(ErrorCode::input, impl_->path,
                  "sample " + std::to_string(impl_->done + i / channels()) + " of channel " +
                      std::to_string(i % channels()) + " is " + (std::isnan(v) ? "NaN" : "infinite"));
    }
  }
  impl_->done += got;
  return got;
}

Wave read_wave(const std::string& path) {
  WaveReader reader(path);
  Wave wave;
  wave.channels = reader.channels();
  wave.rate_hz = reader.rate_hz();
  std::vector<float> block(std::max(kBlock, static_cast<std::size_t>(wave.channels)));
  while (const Index got = reader.read(block)) {
    wave.samples.insert(wave.samples.end(), block.begin(), block.begin() + got * wave.channels);
    if (wave.samples.size() > kMaxSamples) throw_too_long(path);
  }
  if (wave.samples.empty()) throw Error(ErrorCode::input, path, "no samples");
  return wave;
}

namespace {

// Averages `frames` interleaved frames onto the end of `mono`.
void append_mono(const float* interleaved, Index frames, int channels, std::vector<float>& mono) {
  if (channels == 1) {
    mono.insert(mono.end(), interleaved, interleaved + frames);
    return;
  }
  for (Index i = 0; i < frames; ++i) {
    double sum = 0;
    for (int c = 0; c < channels; ++c) sum += static_cast<double>(interleaved[i * channels + c]);
    mono.push_back(static_cast<float>(sum / channels));
  }
}

}  // namespace

std::vector<float> to_mono(const Wave& wave) {
  std::vector<float> mono;
  mono.reserve(static_cast<std::size_t>(wave.frames()));
  append_mono(wave.samples.data(), wave.frames(), wave.channels, mono);
  return mono;
}

namespace {

// Frames [skip, skip + limit) of the reader, averaged (limit < 0: to the end), into `mono`; returns the frames read.
Index read_mono(WaveReader& reader, const std::string& path, Index skip, Index limit, std::vector<float>& mono) {
  const int channels = reader.channels();
  if (channels == 1 && skip == 0 && reader.known_frames() > 0) {  // straight into its place
    const Index wanted = limit < 0 ? reader.known_frames() : std::min(limit, reader.known_frames());
    if (wanted > static_cast<Index>(kMaxSamples)) throw_too_long(path);
    mono.resize(static_cast<std::size_t>(wanted));
    const Index got = reader.read(mono);
    mono.resize(static_cast<std::size_t>(got));
    return got;
  }
  mono.clear();
  std::vector<float> block(std::max(kBlock, static_cast<std::size_t>(channels)));
  Index total = 0;
  while (limit < 0 || static_cast<Index>(mono.size()) < limit) {
    const Index got = reader.read(block);
    if (got == 0) break;
    total += got;
    const Index drop = std::min(skip, got);
    skip -= drop;
    Index keep = got - drop;
    if (limit >= 0) keep = std::min(keep, limit - static_cast<Index>(mono.size()));
    append_mono(block.data() + drop * channels, keep, channels, mono);
    if (mono.size() > kMaxSamples) throw_too_long(path);
  }
  return total;
}

}  // namespace

void load_mono(const std::string& path, int rate_hz, double offset_s, double duration_s, std::vector<float>& mono) {
  if (!(offset_s >= 0) || !(duration_s >= 0) || offset_s > 1e7 || duration_s > 1e7) {
    throw Error(ErrorCode::usage, path, "offset and duration must be seconds from 0 to 1e7");
  }
  WaveReader reader(path);
  const Index skip = static_cast<Index>(offset_s * reader.rate_hz());
  const Index limit = duration_s > 0 ? std::max<Index>(1, static_cast<Index>(duration_s * reader.rate_hz())) : -1;
  const Index total = read_mono(reader, path, skip, limit, mono);
  if (total == 0) throw Error(ErrorCode::input, path, "no samples");
  if (mono.empty()) {
    throw Error(ErrorCode::input, path, "ends before the offset of " + std::to_string(offset_s) + " s")
        .got(std::to_string(static_cast<double>(total) / reader.rate_hz()) + " s");
  }
  if (rate_hz <= 0 || rate_hz == reader.rate_hz()) return;
  mono = with_context(path, [&] { return resample(std::span<const float>(mono), reader.rate_hz(), rate_hz); });
}

std::vector<float> load_mono(const std::string& path, int rate_hz, double offset_s, double duration_s) {
  std::vector<float> mono;
  load_mono(path, rate_hz, offset_s, duration_s, mono);
  return mono;
}

void write_wave16(const std::string& path, std::span<const float> samples, int rate_hz) {
  SF_INFO info{};
  info.channels = 1;
  info.samplerate = rate_hz;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  std::unique_ptr<SNDFILE, CloseFile> file(sf_open(path.c_str(), SFM_WRITE, &info));
  if (!file) throw Error(ErrorCode::input, path, std::string("cannot be written: ") + printable(sf_strerror(nullptr)));
  std::vector<short> pcm;
  pcm.reserve(samples.size());
  for (const float v : samples) {
    const float scaled = std::isfinite(v) ? std::clamp(std::nearbyint(v * 32768.0f), -32768.0f, 32767.0f) : 0.0f;
    pcm.push_back(static_cast<short>(scaled));
  }
  const auto count = static_cast<sf_count_t>(pcm.size());
  if (sf_write_short(file.get(), pcm.data(), count) != count) {
    throw Error(ErrorCode::input, path, std::string("cannot be written: ") + printable(sf_strerror(file.get())));
  }
}

}  // namespace serene
