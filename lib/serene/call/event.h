// What a call tells: typed events, and the one line of JSON that each of them is outside.
//
// Times are milliseconds of call audio, counted from its first sample in steps of one block (block_ms). t_ms never
// falls from one event to the next and is the moment at which the fact is known; at_ms is the moment it speaks of.
//
//   {"seq":0,"t_ms":0,"type":"call","action":"start","model":"name","states":["neutral","happy",...],
//        "negative":{"angry":1,...},"agent_leg":true,"consent":true}
//   {...,"type":"call","action":"end","reason":"finished","customer_speech_ms":..,"agent_speech_ms":..}
//   {...,"type":"speech","leg":"customer","action":"start","at_ms":480}        start, stop
//   {...,"type":"overlap","action":"start","at_ms":..}                start, stop (with "duration_ms")
//   {...,"type":"silence","action":"start","at_ms":..}                start, stop (with "duration_ms")
//   {...,"type":"emotion","state":"angry","top":"angry","confidence":0.62,"probabilities":{...},"window":{...},
//        "window_ms":3000,"speech_ms":12500}       one per hop of the customer's speech; probabilities are smoothed,
//                                                  window holds those of the window alone
//   {...,"type":"state","state":"angry","previous":"neutral","confidence":0.62}
//   {...,"type":"trend","direction":"rising","negative":0.55,"slope_per_min":0.4}       rising, falling, steady
//   {...,"type":"alert","action":"raised","alert":1,"rule":"rising_anger","severity":"critical","text":"..",
//        "reason":"..","value":0.74,"for_ms":4500,"supervisor":false}    raised, escalated, acknowledged, cleared
//   {...,"type":"advice","action":"shown","rule":"..","severity":"info","text":"..","reason":"..","value":..,
//        "for_ms":..}                                                    shown, withdrawn; one at a time
//   {...,"type":"quality","leg":"customer","lamp":"good","level_dbfs":-23.1,"snr_db":31.0,"clipping":0,"loss":0,
//        "band_limited":true,"bad_samples":0}                            good, fair, poor
//   {...,"type":"consent","action":"given"}                              given, withdrawn
//
// States are the groups of labels of CallConfig, and beside them "no_speech" and "uncertain". The reason of an alert
// that cleared and of advice that was withdrawn is "".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "serene/core/json.h"
#include "serene/core/types.h"

namespace serene {

class CallModel;
struct Playbook;
struct StateGroup;

// The two ends of a call.
enum class Leg : std::uint8_t { customer, agent };
inline constexpr int leg_count = 2;  // of a call

// What an event tells; see above.
enum class EventType : std::uint8_t {
  call,
  speech,
  overlap,
  silence,
  emotion,
  state,
  trend,
  alert,
  advice,
  quality,
  consent,
};

// What has happened to it; none where the type has no action.
enum class EventAction : std::uint8_t {
  none,
  start,
  stop,
  end,
  raised,
  escalated,
  acknowledged,
  cleared,
  shown,
  withdrawn,
  given,
};

// How well a leg can be heard.
enum class Lamp : std::uint8_t { good, fair, poor };
// Where the share of unpleasant states goes.
enum class Direction : std::uint8_t { steady, rising, falling };

// States of the customer beside the groups 0, 1, ... of the config.
inline constexpr int state_no_speech = -1;
inline constexpr int state_uncertain = -2;
inline constexpr int max_states = 16;

// One event: plain data of fixed size, so that a session makes it without allocating. Fields that a type does not use
// keep their defaults.
struct Event {
  std::int64_t sequence = 0;  // 0, 1, 2, ... within the call
  std::int64_t t_ms = 0;
  EventType type = EventType::call;
  EventAction action = EventAction::none;
  Leg leg = Leg::customer;
  std::int64_t at_ms = 0;
  std::int64_t duration_ms = 0;  // overlap, silence; alert and advice: how long the condition has held ("for_ms")

  // emotion, state
  int state = state_no_speech;
  int previous = state_no_speech;
  int top = 0;
  double confidence = 0;  // smoothed probability of top
  std::array<double, max_states> probabilities{}, window{};
  std::int64_t window_ms = 0, speech_ms = 0;  // speech_ms: customer's speech heard so far

  // trend
  Direction direction = Direction::steady;
  double negative = 0;       // 0..1: weighted share of the unpleasant states
  double slope_per_min = 0;  // change of `negative` per minute of speech

  // alert, advice
  int rule = -1;           // place in the playbook
  std::int64_t alert = 0;  // number of the alert within the call, from 1
  double value = 0;        // of the rule's signal
  bool supervisor = false;

  // quality
  Lamp lamp = Lamp::good;
  double level_dbfs = 0;  // RMS of speech, or of all when there is none; at least -120
  double snr_db = 0;      // speech over noise floor
  double clipping = 0;    // share of samples at full scale
  double loss = 0;        // share of samples reported as lost
  bool band_limited = false;
  std::int64_t bad_samples = 0;  // not finite, since the start

  // call start
  bool agent_leg = true, consent = true;

  // call end
  std::array<std::int64_t, leg_count> leg_speech_ms{};
  const char* reason = "";  // "finished", "hang_up", "dropped"; a literal
};

// Receives the events of one session inside push and finish. Must not throw; what it costs is the caller's affair.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // One event, in the order of their numbers.
  virtual void on_event(const Event& event) noexcept = 0;
};

// The words of the line of JSON, such as "customer".
const char* leg_name(Leg leg) noexcept;
const char* type_name(EventType type) noexcept;
const char* action_name(EventAction action) noexcept;

// What the numbers of an event stand for. Refers to what it is made from.
struct EventNames {
  std::string_view model;
  std::span<const StateGroup> states;
  const Playbook& playbook;
};
// Those of a model; it must outlive them.
EventNames event_names(const CallModel& model);

// The event as above, without line end. Numbers are rounded to 4 decimals so that lines stay short; what is not finite
// is written as 0, bytes that are not UTF-8 as "?". Thread-safe.
std::string event_line(const Event& event, const EventNames& names);
std::string event_line(const Event& event, const CallModel& model);

}  // namespace serene
