#include <cmath>

#include "serene/call/call_summary.h"

namespace serene {
namespace {

double rounded(double value) { return std::isfinite(value) ? std::round(value * 1e4) / 1e4 + 0.0 : 0.0; }

Json maybe(const std::optional<std::int64_t>& ms) { return ms ? Json(*ms) : Json(nullptr); }

Json stretches(const Stretches& s, bool counted) {
  Json json{{"total_ms", s.total_ms}, {"longest_ms", s.longest_ms}};
  json[counted ? "reported" : "stretches"] = s.count;
  return json;
}

Json quality(const LegQuality& q) {
  return Json{{"readings", q.readings},
              {"good", q.readings - q.fair - q.poor},
              {"fair", q.fair},
              {"poor", q.poor},
              {"level_dbfs", rounded(q.level_dbfs)},
              {"snr_db", rounded(q.snr_db)},
              {"worst_clipping", rounded(q.worst_clipping)},
              {"worst_loss", rounded(q.worst_loss)},
              {"band_limited", q.band_limited},
              {"bad_samples", q.bad_samples}};
}

Json alert(const AlertEntry& a) {
  return Json{{"alert", a.number},
              {"rule", a.rule},
              {"severity", a.severity},
              {"text", a.text},
              {"reason", a.reason},
              {"supervisor", a.supervisor},
              {"raised_ms", a.raised_ms},
              {"escalated_ms", maybe(a.escalated_ms)},
              {"acknowledged_ms", maybe(a.acknowledged_ms)},
              {"cleared_ms", maybe(a.cleared_ms)}};
}

Json turning_point(const TurningPoint& p) {
  Json json{{"t_ms", p.t_ms}, {"kind", p.kind}};
  if (p.kind == "state") json["from"] = p.from, json["to"] = p.to;
  json["negative"] = rounded(p.negative);
  return json;
}

}  // namespace

Json to_json(const CallSummary& s) {
  Json json{{"id", s.id},
            {"title", s.title},
            {"started_at", s.started_at},
            {"source", s.source},
            {"model", s.model},
            {"consent", s.consent},
            {"reason", s.reason},
            {"complete", s.complete},
            {"agent_leg", s.agent_leg},
            {"recognised", s.recognised},
            {"duration_ms", s.duration_ms},
            {"windows", s.windows}};
  json["talk"] = Json{{"customer", stretches(s.speech[0], false)},
                      {"agent", stretches(s.speech[1], false)},
                      {"silence", stretches(s.silence, true)},
                      {"overlap", stretches(s.overlap, true)}};
  Json shares = Json::array(), points = Json::array(), alerts = Json::array(), advice = Json::array();
  for (const StateShare& share : s.shares) {
    shares.push_back(Json{{"state", share.state},
                          {"speech_ms", share.speech_ms},
                          {"of_speech", rounded(share.of_speech)},
                          {"call_ms", share.call_ms},
                          {"of_call", rounded(share.of_call)}});
  }
  for (const TurningPoint& p : s.turning_points) points.push_back(turning_point(p));
  for (const AlertEntry& a : s.alerts) alerts.push_back(alert(a));
  for (const AdviceEntry& a : s.advice) {
    advice.push_back(Json{{"rule", a.rule},
                          {"text", a.text},
                          {"reason", a.reason},
                          {"shown_ms", a.shown_ms},
                          {"withdrawn_ms", maybe(a.withdrawn_ms)}});
  }
  json["shares"] = shares;
  json["feeling"] = Json{{"start", s.feeling_start},
                         {"end", s.feeling_end},
                         {"negative_start", rounded(s.negative_start)},
                         {"negative_end", rounded(s.negative_end)},
                         {"negative_mean", rounded(s.negative_mean)}};
  json["turning_points"] = points;
  json["longest_negative"] = Json{{"from_ms", s.longest_negative.from_ms}, {"to_ms", s.longest_negative.to_ms}};
  json["anger"] = Json{{"present", s.anger}, {"recovered", s.recovered}};
  json["anger"]["recovery_ms"] = s.recovered ? Json(s.recovery_ms) : Json(nullptr);
  json["alerts"] = alerts;
  json["advice"] = advice;
  json["quality"] = Json{{"customer", quality(s.quality[0])}, {"agent", quality(s.quality[1])}};
  return json;
}

}  // namespace serene
