// serene inside a host of audio plug-ins: blocks of 64 samples at 48 kHz come from a real-time thread, in which nothing
// may allocate, lock or call the system. The program counts allocations and says how many it saw.
//
//   block_host MODEL.safetensors
#include <serene/serene.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

// Every allocation of the program comes through here (glibc's own malloc under its second name).
namespace {
std::atomic<long> allocations{0};
}
extern "C" {
void* __libc_malloc(std::size_t);
void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
}

namespace {

// The shape that plug-ins have: prepare on the main thread, process in the real-time thread, state read by the screen.
class EmotionMeter final : public serene::EventSink {
 public:
  explicit EmotionMeter(const serene::CallModel& model) : model_(model) {}

  // All memory is taken here.
  void prepare(int rate_hz) {
    session_ = std::make_unique<serene::Session>(
        model_, serene::SessionOptions{.rate_hz = {rate_hz, rate_hz}, .agent_leg = false}, *this);
  }
  void process(const float* block, int samples) noexcept {
    session_->push(serene::Leg::customer, {block, static_cast<std::size_t>(samples)});
  }
  const char* state() const noexcept { return model_.state_name(state_.load(std::memory_order_relaxed)); }
  int windows() const noexcept { return windows_.load(std::memory_order_relaxed); }

 private:
  // Inside process: a number is kept, nothing is printed.
  void on_event(const serene::Event& event) noexcept override {
    if (event.type == serene::EventType::state) state_.store(event.state, std::memory_order_relaxed);
    if (event.type == serene::EventType::emotion) windows_.fetch_add(1, std::memory_order_relaxed);
  }

  const serene::CallModel& model_;
  std::unique_ptr<serene::Session> session_;
  std::atomic<int> state_{serene::state_no_speech}, windows_{0};
};

// A block of something like a voice.
void next_block(std::array<float, 64>& block, long from) {
  for (std::size_t i = 0; i < block.size(); ++i) {
    const double t = static_cast<double>(from + static_cast<long>(i)) / 48000;
    const double phase = 2 * M_PI * 160 * t + 2 * std::sin(2 * M_PI * 5 * t);
    block[i] = static_cast<float>(0.2 * std::sin(2 * M_PI * 2 * t) * (std::sin(phase) + 0.6 * std::sin(3 * phase)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: block_host MODEL.safetensors\n");
    return 1;
  }
  try {
    const serene::CallModel model = serene::open_call_model(argv[1]);
    EmotionMeter meter(model);
    meter.prepare(48000);
    const long before = allocations;
    std::array<float, 64> block;
    constexpr long samples = 10L * 48000;
    for (long at = 0; at < samples; at += 64) {
      next_block(block, at);
      meter.process(block.data(), static_cast<int>(block.size()));
    }
    const long seen = allocations - before;
    std::printf("%ld blocks, %d windows recognised, state %s, %ld allocations\n", samples / 64, meter.windows(),
                meter.state(), seen);
    return before > 0 && seen == 0 && meter.windows() > 0 ? 0 : 3;
  } catch (const serene::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
