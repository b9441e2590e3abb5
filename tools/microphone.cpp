#include "microphone.h"

#include "serene/core/error.h"

#ifdef SERENE_PORTAUDIO
#include <dlfcn.h>
#include <fcntl.h>
#include <portaudio.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace serene::cli {
namespace {

constexpr double kRate = 16000;
constexpr unsigned long kFrames = 320;        // of one callback: 20 ms
constexpr std::size_t kRingFrames = 1 << 17;  // 8 s, a power of two

// ALSA and JACK write their doubts to stderr when they look for devices; the error below says what matters.
class QuietErrors {
 public:
  QuietErrors() {
    std::fflush(stderr);
    saved_ = dup(STDERR_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
      dup2(nowhere, STDERR_FILENO);
      close(nowhere);
    }
  }
  ~QuietErrors() {
    if (saved_ < 0) return;
    std::fflush(stderr);
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;

 private:
  int saved_ = -1;
};

// PortAudio, loaded when a microphone is asked for: with what it pulls in (ALSA, JACK) it would cost every start of the
// program more than reading a model does. Stays loaded.
class SoundLibrary {
 public:
  static const SoundLibrary& get() {
    static const SoundLibrary library;
    return library;
  }

  decltype(&Pa_Initialize) initialize;
  decltype(&Pa_Terminate) terminate;
  decltype(&Pa_GetErrorText) error_text;
  decltype(&Pa_GetDefaultInputDevice) default_input_device;
  decltype(&Pa_GetDeviceInfo) device_info;
  decltype(&Pa_OpenStream) open_stream;
  decltype(&Pa_StartStream) start_stream;
  decltype(&Pa_CloseStream) close_stream;
  decltype(&Pa_IsStreamActive) is_stream_active;

 private:
  SoundLibrary() : handle_(dlopen("libportaudio.so.2", RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) missing();
    find("Pa_Initialize", initialize);
    find("Pa_Terminate", terminate);
    find("Pa_GetErrorText", error_text);
    find("Pa_GetDefaultInputDevice", default_input_device);
    find("Pa_GetDeviceInfo", device_info);
    find("Pa_OpenStream", open_stream);
    find("Pa_StartStream", start_stream);
    find("Pa_CloseStream", close_stream);
    find("Pa_IsStreamActive", is_stream_active);
  }
  [[noreturn]] static void missing() {
    throw Error(ErrorCode::input, "--mic", "PortAudio cannot be loaded").hint("install libportaudio2");
  }
  template <class F>
  void find(const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(handle_, name));
    if (function == nullptr) missing();
  }

  void* handle_;
};

Error no_sound(PaError code) {
  return Error(ErrorCode::input, "--mic",
               std::string("the sound card cannot be used: ") + SoundLibrary::get().error_text(code))
      .hint("play a recording or a scenario instead");
}

}  // namespace

// One writer (the callback), one reader (the player): frames pass through a ring without lock.
struct Microphone::Impl {
  PaStream* stream = nullptr;
  int channels = 1;
  bool keep = false;
  std::vector<float> ring;
  std::atomic<std::size_t> written{0}, read{0};
  std::atomic<std::size_t> dropped{0};  // frames that found the ring full
  std::array<std::vector<float>, leg_count> block;
  CallAudio recorded;

  static int receive(const void* input, void*, unsigned long frames, const PaStreamCallbackTimeInfo*,
                     PaStreamCallbackFlags, void* self) {
    static_cast<Impl*>(self)->take(static_cast<const float*>(input), frames);
    return paContinue;
  }
  void take(const float* samples, std::size_t frames) noexcept {
    const std::size_t at = written.load(std::memory_order_relaxed);
    const std::size_t room = kRingFrames - (at - read.load(std::memory_order_acquire));
    const std::size_t count = std::min(frames, room);
    const auto width = static_cast<std::size_t>(channels);
    for (std::size_t i = 0; i < count * width; ++i) {
      ring[(at * width + i) % ring.size()] = samples == nullptr ? 0.0f : samples[i];
    }
    written.store(at + count, std::memory_order_release);
    dropped += frames - count;
  }
  // One block of each leg out of the ring.
  void fetch() {
    const std::size_t at = read.load(std::memory_order_relaxed);
    const auto width = static_cast<std::size_t>(channels);
    for (std::size_t i = 0; i < kFrames; ++i) {
      for (std::size_t c = 0; c < width; ++c) block[c][i] = ring[((at + i) * width + c) % ring.size()];
    }
    read.store(at + kFrames, std::memory_order_release);
  }
};

Microphone::Microphone(bool keep) : impl_(std::make_unique<Impl>()) {
  const SoundLibrary& sound = SoundLibrary::get();
  const QuietErrors quiet;
  impl_->keep = keep;
  if (const PaError code = sound.initialize(); code != paNoError) throw no_sound(code);
  const PaDeviceIndex device = sound.default_input_device();
  const PaDeviceInfo* info = device == paNoDevice ? nullptr : sound.device_info(device);
  if (info == nullptr || info->maxInputChannels < 1) {
    sound.terminate();
    throw Error(ErrorCode::input, "--mic", "there is no microphone").hint("play a recording or a scenario instead");
  }
  impl_->channels = std::min(info->maxInputChannels, 2);
  impl_->ring.assign(kRingFrames * static_cast<std::size_t>(impl_->channels), 0.0f);
  for (auto& leg : impl_->block) leg.assign(kFrames, 0.0f);
  impl_->recorded.agent_leg = agent_leg();
  PaStreamParameters input{};
  input.device = device;
  input.channelCount = impl_->channels;
  input.sampleFormat = paFloat32;
  input.suggestedLatency = info->defaultLowInputLatency;
  PaError code =
      sound.open_stream(&impl_->stream, &input, nullptr, kRate, kFrames, paNoFlag, &Impl::receive, impl_.get());
  if (code == paNoError) code = sound.start_stream(impl_->stream);
  if (code != paNoError) {
    if (impl_->stream != nullptr) sound.close_stream(impl_->stream);
    sound.terminate();
    throw no_sound(code);
  }
}

Microphone::~Microphone() {
  SoundLibrary::get().close_stream(impl_->stream);
  SoundLibrary::get().terminate();
}

std::array<int, leg_count> Microphone::rate_hz() const { return {static_cast<int>(kRate), static_cast<int>(kRate)}; }

bool Microphone::agent_leg() const { return impl_->channels == 2; }

const CallAudio& Microphone::recorded() const { return impl_->recorded; }

bool Microphone::push_next(CallInput& input) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (impl_->written.load(std::memory_order_acquire) - impl_->read.load() < kFrames) {
    if (SoundLibrary::get().is_stream_active(impl_->stream) != 1) return false;  // the device is gone
    if (std::chrono::steady_clock::now() >= until) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  impl_->fetch();
  const auto lost = static_cast<Index>(impl_->dropped.exchange(0));
  for (int leg = impl_->channels - 1; leg >= 0; --leg) {
    const auto& block = impl_->block[static_cast<std::size_t>(leg)];
    if (lost > 0) input.lose(static_cast<Leg>(leg), lost);
    input.push(static_cast<Leg>(leg), block);
    if (!impl_->keep) continue;
    auto& kept = impl_->recorded.samples[static_cast<std::size_t>(leg)];
    kept.insert(kept.end(), static_cast<std::size_t>(lost), 0.0f);
    kept.insert(kept.end(), block.begin(), block.end());
  }
  return true;
}

}  // namespace serene::cli

#else

namespace serene::cli {

struct Microphone::Impl {
  CallAudio recorded;
};

Microphone::Microphone(bool) {
  throw Error(ErrorCode::usage, "--mic", "this program was built without PortAudio")
      .hint("install portaudio19-dev and build again");
}
Microphone::~Microphone() = default;
std::array<int, leg_count> Microphone::rate_hz() const { return {16000, 16000}; }
bool Microphone::agent_leg() const { return false; }
bool Microphone::push_next(CallInput&) { return false; }
const CallAudio& Microphone::recorded() const { return impl_->recorded; }

}  // namespace serene::cli

#endif
