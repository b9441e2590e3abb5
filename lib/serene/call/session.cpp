#include "serene/call/session.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "serene/call/advisor.h"
#include "serene/call/emotion_batch.h"
#include "serene/call/quality_meter.h"
#include "serene/call/smoother.h"
#include "serene/call/speech_window.h"
#include "serene/call/turn_taking.h"
#include "serene/call/waiting_blocks.h"

namespace serene {
namespace {

constexpr std::size_t kMostAcknowledgements = 64;  // between two blocks

struct WindowResult {
  std::array<double, max_states> probabilities{};
  std::int64_t window_ms = 0;
  bool ready = false;
};

std::vector<double> negative_weights(const CallModel& model) {
  std::vector<double> weights;
  for (const StateGroup& g : model.states()) weights.push_back(g.negative);
  return weights;
}

Index skew_blocks(const CallConfig& config) {
  return std::max<Index>(1, static_cast<Index>(std::lround(config.max_skew_s * 1000 / block_ms)));
}

// A leg: its input and what of it waits for the other leg.
struct LegState {
  LegInput input;
  WaitingBlocks waiting;

  LegState(int rate_hz, const CallConfig& config)
      : input(rate_hz, config.voice_activity), waiting(skew_blocks(config)) {}
};

}  // namespace

// The heavy work of a leg runs in its own push and block by block; step() puts what both legs have reached in order. A
// block whose window has no answer yet keeps it and all that follow waiting, as a leg that lags would.
struct Session::Impl final : AdvisorSink {
  const CallModel& model;
  SessionOptions options;
  EventSink& sink;
  std::array<LegState, leg_count> legs;
  SpeechWindows window;
  std::unique_ptr<EmotionBatch> own_batch;  // of one window: answers at once
  EmotionBatch& batch;
  std::int64_t windows = 0;
  std::vector<WindowResult> results;  // ring: as many as blocks can wait
  std::size_t next_result = 0;

  TurnTaking turns;
  Smoother smoother;
  Trend trend;
  Advisor advisor;
  std::array<QualityMeter, leg_count> quality;

  std::int64_t sequence = 0, blocks = 0;
  std::int64_t last_window_speech_ms = 0;
  bool consent, wanted_consent, finished = false;
  std::array<std::int64_t, kMostAcknowledgements> acknowledged{};
  std::size_t acknowledgements = 0;

  Impl(const CallModel& m, const SessionOptions& o, EventSink& s)
      : model(m),
        options(o),
        sink(s),
        legs{LegState(o.rate_hz[0], m.config()), LegState(o.agent_leg ? o.rate_hz[1] : 8000, m.config())},
        window(m.config(), m.recognizer().streams(), o.rate_hz[0]),
        own_batch(o.batch == nullptr ? std::make_unique<EmotionBatch>(m, 1) : nullptr),
        batch(o.batch == nullptr ? *own_batch : *o.batch),
        results(static_cast<std::size_t>(skew_blocks(m.config()) + 1)),
        turns(m.config(), o.agent_leg),
        smoother(m.config(), static_cast<int>(m.states().size())),
        trend(m.config(), negative_weights(m)),
        advisor(m.playbook(), m.state_names(), o.strain_before_min),
        quality{QualityMeter(m.config(), Leg::customer, o.rate_hz[0]),
                QualityMeter(m.config(), Leg::agent, o.rate_hz[1])},
        consent(o.consent),
        wanted_consent(o.consent) {
    Event e = event(EventType::call, EventAction::start);
    e.agent_leg = o.agent_leg;
    e.consent = o.consent;
    emit(e);
  }

  ~Impl() override { batch.forget(results.data(), results.data() + results.size()); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::int64_t now_ms() const noexcept { return blocks * block_ms; }

  Event event(EventType type, EventAction action = EventAction::none) const noexcept {
    Event e;
    e.type = type;
    e.action = action;
    e.t_ms = e.at_ms = now_ms();
    return e;
  }

  void emit(Event& e) noexcept override {
    e.sequence = sequence++;
    sink.on_event(e);
  }

  LegState& leg(Leg which) noexcept { return legs[static_cast<std::size_t>(which)]; }

  // Takes n samples through `take`, which moves some of them into the input, until the leg may not run further ahead.
  template <class Take>
  Index feed(Leg which, Index n, Take&& take) noexcept {
    if (finished || n <= 0) return 0;
    LegState& l = leg(which);
    if (which == Leg::agent && !options.agent_leg) return n;
    Index taken = 0;
    while (taken < n && has_room(l)) {
      taken += take(l.input, taken);
      if (l.input.full()) end_block(which);
    }
    return taken;
  }

  // Blocks may wait for the other leg or for answers; only the other leg is a reason to refuse samples.
  bool has_room(LegState& l) noexcept {
    if (l.waiting.free() == 0) settle();
    return l.waiting.free() > 0;
  }

  // Asks what waits to be asked and goes on.
  void settle() noexcept {
    batch.run();
    deliver();
  }

  void deliver() noexcept {
    while (!legs[0].waiting.empty() && (!options.agent_leg || !legs[1].waiting.empty())) {
      const int window_at = legs[0].waiting.at(0).window;
      if (window_at >= 0 && !results[static_cast<std::size_t>(window_at)].ready) return;
      step();
    }
  }

  void end_block(Leg which) noexcept {
    LegState& l = leg(which);
    LegBlock block = l.input.judge();
    if (which == Leg::customer && wanted_consent && window.push(l.input.samples(), block)) {
      WindowResult& r = results[next_result];
      r.ready = false;
      r.window_ms = window.window_ms();
      batch.add(window.frames(), {{r.probabilities.data(), model.states().size()}, &r.ready});
      ++windows;
      block.window = static_cast<int>(next_result);
      next_result = (next_result + 1) % results.size();
    }
    l.waiting.put(block);
    deliver();
  }

  // One block that both legs have reached.
  void step() noexcept {
    const LegBlock customer = legs[0].waiting.at(0);
    const LegBlock agent = options.agent_leg ? legs[1].waiting.at(0) : LegBlock{};
    legs[0].waiting.drop_oldest();
    if (options.agent_leg) legs[1].waiting.drop_oldest();
    ++blocks;
    apply_commands();
    turns.add({&customer, &agent}, now_ms(), *this);
    if (customer.window >= 0 && consent) report_window(customer);
    if (customer.forgotten && consent) forget();
    quality[0].add(customer, now_ms(), *this);
    if (options.agent_leg) quality[1].add(agent, now_ms(), *this);

    Advisor::Block b;
    b.t_ms = now_ms();
    b.speech = {turns.speaks(Leg::customer), turns.speaks(Leg::agent)};
    b.customer_speech_ms = customer.speech_ms;
    b.silence_ms = turns.silence_ms(now_ms());
    b.loss = std::min(1.0, static_cast<double>(customer.lost_samples + customer.clipped_samples) /
                               static_cast<double>(legs[0].input.block()));
    advisor.on_block(b, *this);
  }

  void apply_commands() noexcept {
    if (consent != wanted_consent) {
      consent = wanted_consent;
      Event e = event(EventType::consent, consent ? EventAction::given : EventAction::withdrawn);
      emit(e);
      if (!consent) {
        forget();
        advisor.withdraw_emotion(now_ms(), *this);
      }
    }
    for (std::size_t i = 0; i < acknowledgements; ++i) advisor.acknowledge(acknowledged[i], now_ms(), *this);
    acknowledgements = 0;
  }

  void report_window(const LegBlock& block) noexcept {
    const WindowResult& r = results[static_cast<std::size_t>(block.window)];
    const std::span<const double> probabilities{r.probabilities.data(), model.states().size()};
    const double speech_s = static_cast<double>(block.speech_ms - last_window_speech_ms) / 1000;
    last_window_speech_ms = block.speech_ms;
    const bool changed = smoother.add(probabilities, speech_s);
    const bool turned = trend.add(static_cast<double>(block.speech_ms) / 1000, smoother.probabilities());

    Event e = event(EventType::emotion);
    e.state = smoother.state();
    e.top = smoother.top();
    e.confidence = smoother.confidence();
    std::copy(smoother.probabilities().begin(), smoother.probabilities().end(), e.probabilities.begin());
    e.window = r.probabilities;
    e.window_ms = r.window_ms;
    e.speech_ms = block.speech_ms;
    emit(e);
    if (changed) report_state();
    if (turned) {
      e = event(EventType::trend);
      e.direction = trend.direction();
      e.negative = trend.negative();
      e.slope_per_min = trend.slope_per_min();
      emit(e);
    }
    advisor.on_window({now_ms(), block.speech_ms, smoother.probabilities(), smoother.state()}, *this);
  }

  void report_state() noexcept {
    Event e = event(EventType::state);
    e.state = smoother.state();
    e.previous = smoother.previous();
    e.top = smoother.top();
    e.confidence = smoother.confidence();
    emit(e);
  }

  void forget() noexcept {
    trend.reset();
    if (smoother.reset()) report_state();
  }

  void set_consent(bool given) noexcept {
    if (finished || given == wanted_consent) return;
    wanted_consent = given;
    if (given) return;
    // At once: sound that one leg has run ahead is not told any more either.
    window.reset();
    for (Index i = 0; i < legs[0].waiting.size(); ++i) legs[0].waiting.at(i).window = -1;
  }

  void acknowledge(std::int64_t alert) noexcept {
    const auto end = acknowledged.begin() + static_cast<Index>(acknowledgements);
    if (finished || acknowledgements == acknowledged.size() || std::find(acknowledged.begin(), end, alert) != end)
      return;
    acknowledged[acknowledgements++] = alert;
  }

  void finish(const char* reason) noexcept {
    if (finished) return;
    for (LegState& l : legs) {
      if (!options.agent_leg && &l == &legs[1]) continue;
      if (l.input.filled() == 0 || l.input.full()) continue;
      l.input.fill_silence();
      end_block(&l == &legs[0] ? Leg::customer : Leg::agent);
    }
    if (options.agent_leg) {
      for (const Leg which : {Leg::customer, Leg::agent}) {
        LegState& other = leg(which == Leg::customer ? Leg::agent : Leg::customer);
        for (settle(); !other.waiting.empty(); settle()) {
          leg(which).input.fill_silence();
          end_block(which);
        }
      }
    }
    settle();
    finished = true;
    apply_commands();
    turns.finish(now_ms(), *this);
    advisor.finish(now_ms(), *this);
    Event e = event(EventType::call, EventAction::end);
    e.leg_speech_ms = {turns.speech_ms(Leg::customer), turns.speech_ms(Leg::agent)};
    e.reason = reason;
    emit(e);
  }
};

Session::Session(const CallModel& model, const SessionOptions& options, EventSink& sink)
    : impl_(std::make_unique<Impl>(model, options, sink)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

Index Session::push(Leg leg, std::span<const float> samples) noexcept {
  return impl_->feed(leg, static_cast<Index>(samples.size()), [&](LegInput& input, Index from) {
    return input.take(samples.subspan(static_cast<std::size_t>(from)));
  });
}

Index Session::lose(Leg leg, Index samples) noexcept {
  // Without another leg nothing would stop an absurd number.
  const Index most = (skew_blocks(impl_->model.config()) + 1) * impl_->leg(leg).input.block();
  return impl_->feed(leg, std::min(samples, most),
                     [&](LegInput& input, Index from) { return input.take_lost(std::min(samples, most) - from); });
}

void Session::deliver() noexcept {
  if (!impl_->finished) impl_->deliver();
}
void Session::finish(const char* reason) noexcept { impl_->finish(reason); }
void Session::acknowledge(std::int64_t alert) noexcept { impl_->acknowledge(alert); }
void Session::set_consent(bool given) noexcept { impl_->set_consent(given); }
std::int64_t Session::time_ms() const noexcept { return impl_->now_ms(); }
std::int64_t Session::emotion_passes() const noexcept { return impl_->windows; }

}  // namespace serene
