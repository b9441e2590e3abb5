// A call written by hand, event by event, for tests of what is made of a call's events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serene/core/json.h"

namespace serene::test {

class CallLog {
 public:
  CallLog() {
    add(0, Json{{"type", "call"},
                {"action", "start"},
                {"model", "test"},
                {"states", {"neutral", "angry", "sad"}},
                {"negative", Json{{"neutral", 0}, {"angry", 1}, {"sad", 0.6}}},
                {"agent_leg", true},
                {"consent", true}});
  }

  CallLog& add(std::int64_t t_ms, const Json& fields) {
    Json event{{"seq", lines.size()}, {"t_ms", t_ms}};
    event.update(fields);
    lines.push_back(event.dump());
    return *this;
  }
  CallLog& speech(std::int64_t t, const char* leg, const char* action, std::int64_t at) {
    return add(t, Json{{"type", "speech"}, {"leg", leg}, {"action", action}, {"at_ms", at}});
  }
  CallLog& emotion(std::int64_t t, std::int64_t speech_ms, const char* state, double neutral, double angry) {
    const Json p{{"neutral", neutral}, {"angry", angry}, {"sad", 1 - neutral - angry}};
    return add(t, Json{{"type", "emotion"}, {"state", state}, {"probabilities", p}, {"speech_ms", speech_ms}});
  }
  CallLog& state(std::int64_t t, const char* state) { return add(t, Json{{"type", "state"}, {"state", state}}); }
  CallLog& alert(std::int64_t t, const char* action, int number, const char* rule = "rising_anger") {
    return add(t, Json{{"type", "alert"},
                       {"action", action},
                       {"alert", number},
                       {"rule", rule},
                       {"severity", "critical"},
                       {"text", "Anger is rising"},
                       {"reason", "anger 0.74 <for> 4.5 s"}});
  }
  CallLog& end(std::int64_t t, const char* reason = "finished") {
    return add(t, Json{{"type", "call"}, {"action", "end"}, {"reason", reason}});
  }

  std::vector<std::string> lines;
};

// One minute: neutral until 10 s, angry until 30 s, calm again; customer 0-30 s and 40-50 s, agent 28-41 s.
inline CallLog angry_minute() {
  CallLog log;
  log.speech(100, "customer", "start", 0);
  log.emotion(2000, 2000, "neutral", 0.9, 0.05).state(2000, "neutral").emotion(6000, 6000, "neutral", 0.8, 0.1);
  log.emotion(10000, 10000, "angry", 0.2, 0.7).state(10000, "angry");
  log.alert(12000, "raised", 1)
      .add(12000, Json{{"type", "advice"},
                       {"action", "shown"},
                       {"rule", "rising_anger"},
                       {"text", "Slow down."},
                       {"reason", "anger"}});
  log.alert(15000, "acknowledged", 1);
  log.emotion(20000, 20000, "angry", 0.05, 0.9).add(27000, Json{{"type", "advice"}, {"action", "withdrawn"}});
  log.speech(28200, "agent", "start", 28000);
  log.add(28400, Json{{"type", "overlap"}, {"action", "start"}, {"at_ms", 28000}});
  log.emotion(30000, 30000, "neutral", 0.7, 0.2).state(30000, "neutral");
  log.speech(30200, "customer", "stop", 30000);
  log.add(30200, Json{{"type", "overlap"}, {"action", "stop"}, {"at_ms", 30000}, {"duration_ms", 2000}});
  log.alert(36000, "cleared", 1);
  log.speech(40100, "customer", "start", 40000).speech(41200, "agent", "stop", 41000);
  log.emotion(45000, 35000, "neutral", 0.85, 0.1).emotion(50000, 40000, "neutral", 0.95, 0.02);
  log.speech(50200, "customer", "stop", 50000);
  log.add(53000, Json{{"type", "silence"}, {"action", "start"}, {"at_ms", 50000}});
  log.add(58000, Json{{"type", "quality"},
                      {"leg", "customer"},
                      {"lamp", "fair"},
                      {"level_dbfs", -23.5},
                      {"snr_db", 30},
                      {"clipping", 0.01},
                      {"loss", 0.02},
                      {"band_limited", true},
                      {"bad_samples", 3}});
  log.end(60000);
  return log;
}

}  // namespace serene::test
