// An advisor with its events written down, and short ways to make playbooks and to let time pass.
#pragma once

#include <string>
#include <vector>

#include "serene/call/advisor.h"
#include "serene/call/session.h"
#include "serene/core/json.h"

namespace serene::test {

inline Playbook playbook_of(const std::string& text) {
  const Json json = parse_json(text, "playbook");
  JsonReader reader(json, "");
  return playbook_from_json(reader);
}

// One rule with these keys beside an id, a reason and texts.
inline std::string rule_text(const std::string& id, const std::string& keys) {
  return R"({"id":")" + id + R"(","text":"t","advice":"a","reason":"r",)" + keys + "}";
}

inline Playbook one_rule(const std::string& keys) {
  return playbook_of(R"({"rules":[)" + rule_text("one", keys) + "]}");
}

struct AdvisorLog final : AdvisorSink {
  void emit(Event& event) noexcept override {
    if (events.size() < events.capacity()) events.push_back(event);  // never allocates while counted
  }
  AdvisorLog() { events.reserve(100000); }
  std::vector<Event> events;

  // "raised@1500 cleared@8000", of one type.
  std::string text(EventType type, int rule = -1) const {
    std::string line;
    for (const Event& e : events) {
      if (e.type != type || (rule >= 0 && e.rule != rule)) continue;
      line += (line.empty() ? "" : " ") + std::string(action_name(e.action)) + "@" + std::to_string(e.t_ms);
    }
    return line;
  }
};

// A call of two states, "angry" and "neutral". Time passes in blocks; the customer's speech makes a window every 500
// ms.
class AdvisorCall {
 public:
  explicit AdvisorCall(Playbook playbook, double strain_min = 0)
      : playbook_(std::move(playbook)), advisor_(playbook_, {"angry", "neutral"}, strain_min) {}

  // So many ms of the customer's speech that sounds so angry; the agent may speak too.
  void speak(std::int64_t ms, double angry, bool agent = false) {
    for (std::int64_t end = t_ms_ + ms; t_ms_ < end;) {
      block(true, agent);
      if (speech_ms_ % 500 != 0) continue;
      const std::array<double, 2> p{angry, 1 - angry};
      advisor_.on_window({t_ms_, speech_ms_, p, 0}, log);
    }
  }
  void quiet(std::int64_t ms, bool agent = false, double loss = 0) {
    for (std::int64_t end = t_ms_ + ms; t_ms_ < end;) block(false, agent, loss);
  }
  void block(bool customer, bool agent, double loss = 0) {
    t_ms_ += block_ms;
    speech_ms_ += customer ? block_ms : 0;
    silence_ms_ = customer || agent ? 0 : silence_ms_ + block_ms;
    advisor_.on_block({t_ms_, {customer, agent}, speech_ms_, silence_ms_, loss}, log);
  }
  Advisor& advisor() { return advisor_; }
  std::int64_t t_ms() const { return t_ms_; }
  const Playbook& playbook() const { return playbook_; }

  AdvisorLog log;

 private:
  Playbook playbook_;
  Advisor advisor_;
  std::int64_t t_ms_ = 0, speech_ms_ = 0, silence_ms_ = 0;
};

}  // namespace serene::test
