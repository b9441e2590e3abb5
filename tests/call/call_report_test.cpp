#include "serene/call/call_report.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../eval/markup_check.h"
#include "call_log.h"
#include "serene/call/call_picture.h"
#include "serene/call/calls_overview.h"

using namespace serene;

namespace {

CallRecord record_of(const test::CallLog& log) {
  CallRecord record;
  record.id = "c1", record.title = "Rising <anger> & more", record.started_at = "2026-11-23T14:05:00Z";
  record.source = "\"quoted\"", record.model = "m", record.consent = "assumed";
  record.lines = log.lines;
  return record;
}

void check_page(const std::string& page) {
  CHECK(test::markup_error(page) == "");
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find(" src=") == std::string::npos);
  CHECK(page.find("url(") == std::string::npos);
  std::string::size_type at = 0;
  while ((at = page.find("http", at)) != std::string::npos) {
    const bool allowed = page.compare(at, 10, "http-equiv") == 0 || page.compare(at, 18, "http://www.w3.org/") == 0;
    CHECK_MESSAGE(allowed, page.substr(at, 40));
    ++at;
  }
  CHECK(page.find("nan") == std::string::npos);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("call report: a valid page that tells the call") {
  CallRecord record = record_of(test::angry_minute());
  record.truth = Json::array(
      {Json{{"leg", "customer"}, {"start_ms", 0}, {"end_ms", 9000}, {"emotion", "neutral"}}, 7, Json{{"leg", 3}}});
  const std::string page = call_report_html(record, summarize(record));
  check_page(page);
  CHECK(has(page, "Rising &lt;anger&gt; &amp; more"));
  CHECK(has(page, "eased within 18.0 s"));
  CHECK(has(page, "anger 0.74 &lt;for&gt; 4.5 s"));
  CHECK(has(page, "An AI system estimated"));
  CHECK(has(page, "actors"));
  CHECK(has(page, "played: neutral"));
  CHECK_FALSE(has(page, "not complete"));
}

TEST_CASE("call report: calls without events, end or emotion are pages too") {
  CallRecord empty;
  empty.id = "c2";
  check_page(call_report_html(empty, summarize(empty)));
  CHECK(has(call_report_html(empty, summarize(empty)), "not complete"));
  test::CallLog log = test::angry_minute();
  log.lines.resize(7);
  const CallRecord dropped = record_of(log);
  check_page(call_report_html(dropped, summarize(dropped)));
  test::CallLog quiet;
  const CallRecord silent = record_of(quiet.end(10000000));
  check_page(call_report_html(silent, summarize(silent)));
}

TEST_CASE("call report: the events as a table") {
  CallRecord record = record_of(test::angry_minute());
  const std::string csv = events_csv(record);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == static_cast<std::ptrdiff_t>(record.lines.size()) + 1);
  CHECK(has(csv, "p_neutral,p_angry,p_sad\r\n"));
  CHECK(has(csv, ",0.9,0.05,"));
  CHECK(has(csv, "Anger is rising"));
  test::CallLog log;
  log.add(10, Json{{"type", "advice"}, {"action", "shown"}, {"text", "=HYPERLINK(\"x\")"}, {"reason", "a,b"}});
  log.lines.push_back("{\"torn");
  record.lines = log.lines;
  CHECK(has(events_csv(record), "\"'=HYPERLINK(\"\"x\"\")\",\"a,b\""));
}

TEST_CASE("call report: times in words") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(65999) == "1:05");
  CHECK(clock_text(3725000) == "1:02:05");
  CHECK(clock_text(-5) == "0:00");
  CHECK(state_words("no_speech") == "no speech");
}

TEST_CASE("calls overview: three calls with known answers") {
  test::CallLog hang_up;
  hang_up.speech(0, "customer", "start", 0).emotion(2000, 2000, "angry", 0.1, 0.9).state(2000, "angry");
  hang_up.alert(3000, "raised", 1).alert(10000, "cleared", 1).end(10000, "hang_up");
  std::vector<CallSummary> calls;
  for (const auto& [id, log] :
       {std::pair{"a", test::angry_minute()}, {"b", hang_up}, {"c", test::CallLog().end(5000)}}) {
    CallRecord record = record_of(log);
    record.id = id;
    if (record.id == "b") record.started_at = "2026-11-24T09:59:59Z";
    calls.push_back(summarize(record));
  }
  const CallsOverview o = overview_of(calls, true);
  CHECK(o.calls == 3);
  CHECK(o.recognised == 2);
  CHECK(o.incomplete == 0);
  CHECK(o.duration_ms == 75000);
  CHECK(o.speech_ms == 50000);
  CHECK(o.start_end.at({"neutral", "neutral"}) == 1);
  CHECK(o.start_end.at({"angry", "angry"}) == 1);
  CHECK(o.hours[14].calls == 2);
  CHECK(o.hours[9].alerts == 1);
  CHECK(o.hours[9].negative == doctest::Approx(0.9));
  CHECK(o.hours[9].alerts_per_hour == doctest::Approx(360));
  CHECK(o.weekdays[0].calls == 2);  // 23 November 2026 is a Monday
  CHECK(o.weekdays[1].calls == 1);
  CHECK(o.anger == 2);
  CHECK(o.recovered == 1);
  CHECK(o.recovery_median_s == doctest::Approx(18));
  REQUIRE(o.rules.size() == 1);
  CHECK(o.rules[0].raised == 2);
  CHECK(o.rules[0].acknowledged == 1);
  CHECK(o.rules[0].acknowledge_median_s == doctest::Approx(3));
  CHECK(o.rules[0].cleared == 1);  // what the end of the call closed was not cleared
  double sum = 0;
  for (const StateShare& s : o.shares) sum += s.of_call;
  CHECK(sum == doctest::Approx(1));
  CHECK(to_json(o)["anger"]["calls"] == 2);
  check_page(overview_html(o, "three calls"));
  CHECK(has(overview_text(o), "rising_anger"));
}

TEST_CASE("calls overview: no calls") {
  const CallsOverview o = overview_of({}, true);
  check_page(overview_html(o, "none"));
  CHECK(has(overview_text(o), "No calls."));
  CHECK(to_json(o)["calls"] == 0);
}
