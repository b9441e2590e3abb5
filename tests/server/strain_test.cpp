// Minutes of angry calls in a row, from the history alone.
#include "serene/server/strain.h"

#include <doctest/doctest.h>
#include <cstdlib>
#include <optional>

#include "call_log.h"
#include "temp_folder.h"

using namespace serene;
namespace {

constexpr std::int64_t now_s = 1795442700;  // 2026-11-23T14:05:00Z

// A history in a folder of its own, whose calls are told by how long ago they started.
class Calls {
 public:
  Calls() { history_.emplace(folder_ / "calls.sqlite", HistoryOptions{true, 0, now_s}); }

  // A call of so many minutes in which `rule` spoke; "" none.
  void add(double minutes_ago, double minutes, const char* rule = "rising_anger", const char* ended = "finished") {
    test::CallLog log;
    if (*rule != '\0') log.alert(5000, "raised", 1, rule);
    log.end(static_cast<std::int64_t>(minutes * 60000));
    CallRecord call;
    call.id = "call-" + std::to_string(++count_);
    call.started_at = utc_text(now_s - static_cast<std::int64_t>(minutes_ago * 60));
    call.consent = "assumed";
    call.lines = log.lines;
    history_->begin(call);
    if (*ended != '\0') history_->end(call.id, ended);
  }
  double strain(const Playbook& playbook) const { return strain_before_min(*history_, playbook, now_s); }
  History& history() { return *history_; }

 private:
  test::TempFolder folder_;
  std::optional<History> history_;
  int count_ = 0;
};

Playbook playbook(const char* strain_of = "rising_anger") {
  Playbook p;
  p.rules.resize(2);
  p.rules[0].id = strain_of;
  p.rules[1].id = "strain_break";
  p.rules[1].signal = SignalKind::strain;
  p.rules[1].other_rule = strain_of;
  return p;
}

}  // namespace

TEST_CASE("strain: angry calls in a row, back to the first that was not") {
  Calls calls;
  CHECK(calls.strain(playbook()) == 0);
  calls.add(100, 15);
  calls.add(80, 10, "");
  calls.add(60, 20);
  calls.add(30, 12.5);
  CHECK(calls.strain(playbook()) == doctest::Approx(32.5));
  Playbook none = playbook();
  none.rules.resize(1);
  CHECK(calls.strain(none) == 0);
  calls.add(10, 4, "sadness_empathy");
  CHECK(calls.strain(playbook()) == 0);
  CHECK(calls.strain(playbook("sadness_empathy")) == doctest::Approx(4));
}

TEST_CASE("strain: half an hour of rest ends the row") {
  Calls calls;
  calls.add(120, 10);  // ended 110 minutes ago, 40 before the next
  calls.add(70, 10);
  calls.add(31, 10);  // 29 minutes after the one before
  CHECK(calls.strain(playbook()) == doctest::Approx(20));
  Calls rested;
  rested.add(41, 10);
  CHECK(rested.strain(playbook()) == 0);
}

TEST_CASE("strain: a call that runs is passed over, a dropped one counts, two at once count both") {
  Calls calls;
  calls.add(20, 8, "rising_anger", "dropped");
  calls.add(20, 6);
  calls.add(2, 1, "", "");
  CHECK(calls.strain(playbook()) == doctest::Approx(14));
}

TEST_CASE("strain: torn lines say nothing, advice of the rule counts") {
  Calls calls;
  calls.add(20, 8, "");
  const std::vector<std::string> torn{R"({"t_ms":480000,"type":"alert","action":"raised","rule":"rising_anger)"};
  calls.history().append("call-1", torn);
  CHECK(calls.strain(playbook()) == 0);
  const std::vector<std::string> shown{R"({"t_ms":480000,"type":"advice","action":"shown","rule":"rising_anger"})"};
  calls.history().append("call-1", shown);
  CHECK(calls.strain(playbook()) == doctest::Approx(8));
}
