#include "serene/call/call_picture.h"

#include <algorithm>
#include <cmath>

#include "serene/eval/svg.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

constexpr double width = 1000, left = 104, right = 980;
constexpr double legend_y = 46, alerts_y = 62, advice_y = 86, state_y = 108, stack_y = 138, stack_height = 150;
constexpr double negative_y = 300, negative_height = 46, talk_y = 360, lane = 18, axis_y = 438;
constexpr std::int64_t gap_ms = 3000;  // the customer said nothing for longer: no area is drawn across

struct Style {
  std::string css;
  double opacity = 0.85;
};

// Every state keeps its colour on all pages; those without one of their own share what is left.
Style style_of(const std::string& state, std::size_t place) {
  static const std::vector<std::pair<std::string, int>> colours = {{"sad", 0},     {"angry", 1},   {"happy", 2},
                                                                   {"fearful", 3}, {"disgust", 4}, {"surprised", 5}};
  if (state == "neutral" || state == "calm") return {"sv-fill sv-ink", 0.28};
  if (state == "uncertain") return {"sv-fill sv-ink", 0.14};
  if (state == "no_speech") return {"sv-fill sv-ink", 0.05};
  for (const auto& [name, colour] : colours) {
    if (name == state) return {"sv-fill " + svg_colour(static_cast<std::size_t>(colour))};
  }
  return {"sv-fill " + svg_colour(place), 0.55};
}

std::size_t place_of(const std::vector<std::string>& states, const std::string& state) {
  return static_cast<std::size_t>(std::find(states.begin(), states.end(), state) - states.begin());
}

std::string span_text(const TimeSpan& i) { return clock_text(i.from_ms) + " to " + clock_text(i.to_ms); }

struct Canvas {
  Svg& svg;
  const CallTimeline& line;
  double end_ms;

  double x(std::int64_t ms) const { return left + (right - left) * static_cast<double>(ms) / end_ms; }
  void name(double y, const std::string& text) const { svg.text(left - 10, y, text, "sv-small", Anchor::end); }
  void bar(const TimeSpan& time, double y, double height, const Style& style, const std::string& tip) const {
    svg.rect(x(time.from_ms), y, std::max(x(time.to_ms) - x(time.from_ms), 1.0), height, style.css, style.opacity, tip);
  }
};

void draw_axis(const Canvas& c, double bottom) {
  const std::vector<std::int64_t> steps = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200};
  std::int64_t step = steps.back();
  for (auto s = steps.rbegin(); s != steps.rend(); ++s) {
    if (c.end_ms / 1000 / static_cast<double>(*s) <= 14) step = *s;
  }
  step = std::max(step, static_cast<std::int64_t>(c.end_ms / 20000));
  for (std::int64_t t = 0; static_cast<double>(t) * 1000 <= c.end_ms; t += step) {
    const double x = c.x(t * 1000);
    c.svg.line(x, state_y - 4, x, bottom, "sv-grid");
    c.svg.text(x, bottom + 16, clock_text(t * 1000), "sv-small", Anchor::middle);
  }
  c.svg.line(left, bottom, right, bottom, "sv-axis");
}

void draw_legend(const Canvas& c) {
  double x = left;
  for (std::size_t i = 0; i < c.line.states.size(); ++i) {
    const Style style = style_of(c.line.states[i], i);
    const std::string text = printable(state_words(c.line.states[i]), 14);
    c.svg.rect(x, legend_y - 10, 12, 12, style.css, style.opacity);
    c.svg.text(x + 17, legend_y, text, "sv-small");
    x += 34 + 6.2 * static_cast<double>(text.size());
  }
}

void draw_alerts(const Canvas& c) {
  c.name(alerts_y + 12, "alerts");
  c.name(advice_y + 12, "advice");
  const std::int64_t end = c.line.duration_ms;
  for (const AlertEntry& a : c.line.alerts) {
    const TimeSpan time{a.raised_ms, a.cleared_ms.value_or(end)};
    c.bar(time, alerts_y, 16, {"sv-fill sv-c1", a.severity == "critical" ? 0.5 : 0.25},
          printable(a.text) + ", " + span_text(time));
    c.svg.line(c.x(a.raised_ms), alerts_y, c.x(a.raised_ms), axis_y, "sv-thin sv-c1 sv-dash");
    c.svg.text(c.x(a.raised_ms) + 4, alerts_y + 12, "! " + std::to_string(a.number), "sv-number");
    if (a.acknowledged_ms) c.svg.circle(c.x(*a.acknowledged_ms), alerts_y + 8, 4, "sv-fill sv-c2");
  }
  for (const AdviceEntry& a : c.line.advice) {
    const TimeSpan time{a.shown_ms, a.withdrawn_ms.value_or(end)};
    c.bar(time, advice_y, 14, {"sv-fill sv-c2", 0.5}, printable(a.text) + ", " + span_text(time));
  }
}

void draw_states(const Canvas& c) {
  c.name(state_y + 14, "state");
  for (const StateStretch& s : c.line.stretches) {
    Style style = style_of(s.state, place_of(c.line.states, s.state));
    style.opacity = std::min(style.opacity, 0.45);  // so that words on it can be read in light and dark
    c.bar(s.time, state_y, 20, style, state_words(s.state) + ", " + span_text(s.time));
    const std::string text = printable(state_words(s.state), 14);
    const double room = c.x(s.time.to_ms) - c.x(s.time.from_ms);
    if (s.state != "no_speech" && room > 6.4 * static_cast<double>(text.size()) + 8) {
      c.svg.text(c.x(s.time.from_ms) + room / 2, state_y + 14, text, "sv-number", Anchor::middle);
    }
  }
}

// Readings without a long pause between them, as ranges of places.
std::vector<std::pair<std::size_t, std::size_t>> runs_of(const std::vector<EmotionReading>& readings) {
  std::vector<std::pair<std::size_t, std::size_t>> runs;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const bool apart = i == 0 || readings[i].t_ms - readings[i - 1].t_ms > gap_ms;
    if (apart) runs.emplace_back(i, i);
    runs.back().second = i + 1;
  }
  return runs;
}

void draw_stack(const Canvas& c) {
  const Axis y(0, 1, stack_y + stack_height, stack_y);
  c.name(stack_y + 10, "100 %");
  c.name(stack_y + stack_height / 2 + 4, "probability");
  c.name(stack_y + stack_height, "0 %");
  c.svg.rect(left, stack_y, right - left, stack_height, "sv-fill sv-ink", 0.03);
  const auto& readings = c.line.readings;
  for (const auto& [first, last] : runs_of(readings)) {
    std::vector<double> base(last - first, 0.0);
    for (std::size_t k = 0; k < c.line.states.size(); ++k) {
      std::vector<std::pair<double, double>> edge, floor;
      for (std::size_t i = first; i < last; ++i) {
        const double top = std::min(base[i - first] + readings[i].probabilities[k], 1.0);
        edge.emplace_back(c.x(readings[i].t_ms), y.at(top));
        floor.emplace_back(c.x(readings[i].t_ms), y.at(base[i - first]));
        base[i - first] = top;
      }
      // A window alone gets some width.
      if (edge.size() == 1)
        edge.emplace_back(edge[0].first + 2, edge[0].second), floor.emplace_back(edge[1].first, floor[0].second);
      edge.insert(edge.end(), floor.rbegin(), floor.rend());
      const Style style = style_of(c.line.states[k], k);
      c.svg.polygon(edge, style.css, style.opacity);
    }
  }
}

void draw_negative(const Canvas& c) {
  const Axis y(0, 1, negative_y + negative_height, negative_y);
  c.name(negative_y + negative_height / 2 + 4, "unpleasant");
  c.svg.line(left, y.at(0), right, y.at(0), "sv-grid");
  c.svg.line(left, y.at(0.5), right, y.at(0.5), "sv-grid sv-dash");
  c.svg.line(left, y.at(1), right, y.at(1), "sv-grid");
  for (const auto& [first, last] : runs_of(c.line.readings)) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = first; i < last; ++i) {
      points.emplace_back(c.x(c.line.readings[i].t_ms), y.at(c.line.readings[i].negative));
    }
    c.svg.polyline(points, "sv-line sv-ink");
  }
}

void draw_talk(const Canvas& c) {
  const double agent_y = talk_y + lane + 4, note_y = agent_y + lane + 6;
  c.name(talk_y + 13, "customer");
  c.name(agent_y + 13, "agent");
  c.name(note_y + 10, "together");
  for (const TimeSpan& i : c.line.speech[0])
    c.bar(i, talk_y, lane, {"sv-fill sv-c0", 0.8}, "customer, " + span_text(i));
  for (const TimeSpan& i : c.line.speech[1]) c.bar(i, agent_y, lane, {"sv-fill sv-ink", 0.4}, "agent, " + span_text(i));
  if (!c.line.agent_leg) c.svg.text(left + 6, agent_y + 13, "not recorded", "sv-small");
  for (const TimeSpan& i : c.line.overlaps) c.bar(i, note_y, 12, {"sv-fill sv-c4", 0.9}, "both spoke, " + span_text(i));
  for (const TimeSpan& i : c.line.silences) {
    c.bar(i, note_y, 12, {"sv-fill sv-ink", 0.15}, "silence, " + span_text(i));
    if (c.x(i.to_ms) - c.x(i.from_ms) > 44) {
      c.svg.text((c.x(i.from_ms) + c.x(i.to_ms)) / 2, note_y + 10, "silence", "sv-tiny", Anchor::middle);
    }
  }
}

// The labels that a simulation played, as far as they can be read; returns whether there are any.
bool draw_truth(const Canvas& c, const Json& truth, double y) {
  bool any = false;
  if (!truth.is_array()) return any;
  for (const Json& piece : truth) {
    const auto text = [&](const char* key) {
      return piece.is_object() && piece.contains(key) && piece[key].is_string() ? piece[key].get<std::string>() : "";
    };
    const auto ms = [&](const char* key) {
      const bool given = piece.is_object() && piece.contains(key) && piece[key].is_number();
      return static_cast<std::int64_t>(std::clamp(given ? piece[key].get<double>() : 0.0, 0.0, c.end_ms));
    };
    if (text("leg") != "customer" || text("emotion").empty()) continue;
    const TimeSpan time{ms("start_ms"), ms("end_ms")};
    Style style = style_of(text("emotion"), place_of(c.line.states, text("emotion")));
    style.opacity = std::min(style.opacity, 0.45);
    if (time.length() > 0)
      c.bar(time, y, 14, style, "played: " + printable(text("emotion"), 20) + ", " + span_text(time));
    any = true;
  }
  if (any) c.name(y + 11, "played");
  return any;
}

}  // namespace

std::string clock_text(std::int64_t ms) {
  const std::int64_t s = std::max<std::int64_t>(ms, 0) / 1000;
  const auto two = [](std::int64_t v) { return (v < 10 ? "0" : "") + std::to_string(v); };
  return s < 3600 ? std::to_string(s / 60) + ":" + two(s % 60)
                  : std::to_string(s / 3600) + ":" + two(s / 60 % 60) + ":" + two(s % 60);
}

std::string state_words(const std::string& state) {
  std::string words = state;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string timeline_picture(const CallTimeline& timeline, const Json& truth, const std::string& title) {
  const bool simulated = truth.is_array() && !truth.empty();
  const double bottom = axis_y + (simulated ? 8 : -8);
  Svg svg(width, bottom + 34, title);
  const Canvas c{svg, timeline, static_cast<double>(std::max<std::int64_t>(timeline.duration_ms, 1000))};
  svg.text(16, 24, title, "sv-title");
  draw_axis(c, bottom);
  draw_legend(c);
  draw_stack(c);
  draw_negative(c);
  draw_states(c);
  draw_talk(c);
  if (simulated) draw_truth(c, truth, talk_y + 2 * lane + 30);
  draw_alerts(c);
  return svg.str();
}

std::string shares_picture(const std::vector<StateShare>& shares, const std::string& title) {
  const double bar_left = 150, bar_right = 980, height = 34;
  Svg svg(width, 190, title);
  svg.text(16, 24, title, "sv-title");
  const auto bar = [&](double y, const std::string& name, double StateShare::*share) {
    svg.text(bar_left - 10, y + height / 2 + 4, name, "sv-text", Anchor::end);
    double x = bar_left;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double wide = shares[i].*share * (bar_right - bar_left);
      Style style = style_of(shares[i].state, i);
      style.opacity = std::min(style.opacity, 0.5);
      const std::string value = fixed(100 * shares[i].*share, 0) + " %";
      svg.rect(x, y, wide, height, style.css, style.opacity, state_words(shares[i].state) + " " + value);
      const std::string text = printable(state_words(shares[i].state), 14) + " " + value;
      if (wide > 6.4 * static_cast<double>(text.size()) + 6) {
        svg.text(x + wide / 2, y + height / 2 + 4, text, "sv-number", Anchor::middle);
      } else if (wide > 34) {
        svg.text(x + wide / 2, y + height / 2 + 4, value, "sv-number", Anchor::middle);
      }
      x += wide;
    }
  };
  bar(44, "customer's speech", &StateShare::of_speech);
  bar(92, "whole call", &StateShare::of_call);
  double x = bar_left;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    Style style = style_of(shares[i].state, i);
    const std::string text = printable(state_words(shares[i].state), 14);
    svg.rect(x, 152, 12, 12, style.css, std::min(style.opacity, 0.5));
    svg.text(x + 17, 162, text, "sv-small");
    x += 34 + 6.2 * static_cast<double>(text.size());
  }
  return svg.str();
}

}  // namespace serene
