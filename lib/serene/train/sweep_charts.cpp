#include "serene/train/sweep_charts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/core/error.h"
#include "serene/eval/svg.h"
#include "serene/train/sweep_space.h"

namespace serene {
namespace {

constexpr double left = 66, top = 62, plot_width = 550, plot_height = 236;
constexpr double bottom = top + plot_height, right = left + plot_width;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void include(double v) { low = std::min(low, v), high = std::max(high, v); }
};

double placed(const SweepScatter& s, double x) { return s.log ? std::log10(x) : x; }

bool drawable(const SweepScatter& s, std::size_t i) {
  return std::isfinite(placed(s, s.x[i])) && std::isfinite(s.y[i]);
}

// Decades, or 1, 2 and 5 of each when there are few of them.
std::vector<std::pair<double, std::string>> log_ticks(const Axis& axis) {
  std::vector<std::pair<double, std::string>> ticks;
  const bool fine = axis.high() - axis.low() < 2.5;
  for (double decade = std::floor(axis.low()); decade <= axis.high() && ticks.size() < 40; decade += 1) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = decade + std::log10(factor);
      if ((factor > 1 && !fine) || at < axis.low() - 1e-9 || at > axis.high() + 1e-9) continue;
      ticks.emplace_back(at, value_text(Json(factor * std::pow(10.0, decade))));
    }
  }
  return ticks;
}

void draw_numbers(Svg& svg, const SweepScatter& s, const Axis& axis) {
  const auto ticks = s.log ? log_ticks(axis) : axis.ticks(7);
  for (const auto& [value, text] : ticks) {
    svg.line(axis.at(value), bottom, axis.at(value), bottom + 4, "sv-axis");
    svg.text(axis.at(value), bottom + 17, text, "sv-small", Anchor::middle);
  }
  svg.text(left + plot_width / 2, bottom + 36, s.x_label, "sv-text", Anchor::middle);
}

double column(const SweepScatter& s, double place) {
  return left + plot_width * (place + 0.5) / static_cast<double>(s.choices.size());
}

// Name and mean of each choice.
void draw_choices(Svg& svg, const SweepScatter& s, const Axis& y) {
  const double slot = plot_width / static_cast<double>(s.choices.size());
  std::size_t longest = 0;
  for (const std::string& choice : s.choices) longest = std::max(longest, printable(choice, 22).size());
  const bool slanted = 6.2 * static_cast<double>(longest) > slot - 6;
  for (std::size_t k = 0; k < s.choices.size(); ++k) {
    const double middle = column(s, static_cast<double>(k));
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (drawable(s, i) && s.x[i] == static_cast<double>(k)) sum += s.y[i], count += 1;
    }
    if (count > 0) {
      const double half = std::min(40.0, 0.36 * slot);
      svg.line(middle - half, y.at(sum / count), middle + half, y.at(sum / count), "sv-thin sv-ink");
    }
    const std::string text = printable(s.choices[k], 22);
    if (slanted) {
      svg.text(middle + 4, bottom + 13, text, "sv-small", Anchor::end, -40);
    } else {
      svg.text(middle, bottom + 17, text, "sv-small", Anchor::middle);
    }
  }
  if (!slanted) svg.text(left + plot_width / 2, bottom + 36, s.x_label, "sv-text", Anchor::middle);
}

void draw_points(Svg& svg, const SweepScatter& s, const Axis& x, const Axis& y) {
  std::vector<int> in_column(s.choices.size());
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!drawable(s, i)) continue;
    double at = s.choices.empty() ? x.at(placed(s, s.x[i])) : 0;
    if (!s.choices.empty()) {
      // Side by side, so that equal scores can be told apart.
      const double slot = plot_width / static_cast<double>(s.choices.size());
      const int turn = in_column[static_cast<std::size_t>(s.x[i])]++ % 7;
      at = column(s, s.x[i]) + std::min(8.0, 0.09 * slot) * (turn % 2 == 0 ? turn / 2 : -(turn + 1) / 2);
    }
    svg.circle(at, y.at(s.y[i]), 3.6, "sv-fill " + svg_colour(static_cast<std::size_t>(s.series[i])));
  }
}

void draw_legend(Svg& svg, const SweepScatter& s) {
  double at = left;
  for (std::size_t i = 0; s.names.size() > 1 && i < s.names.size(); ++i) {
    svg.circle(at + 4, top - 16, 3.6, "sv-fill " + svg_colour(i));
    svg.text(at + 13, top - 12, s.names[i], "sv-small");
    at += 30 + 6.0 * static_cast<double>(s.names[i].size());
  }
}

}  // namespace

std::string sweep_scatter_chart(const SweepScatter& s) {
  Svg svg(640, s.choices.empty() ? 356 : 392, s.title);
  svg.text(16, 24, s.title, "sv-title");
  Range xs, ys;
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (drawable(s, i)) xs.include(placed(s, s.x[i])), ys.include(s.y[i]);
  }
  const double margin = std::isfinite(xs.high - xs.low) ? 0.03 * (xs.high - xs.low) : 0;
  const double space = std::isfinite(ys.high - ys.low) ? 0.08 * (ys.high - ys.low) : 0;
  const Axis x(xs.low - margin, xs.high + margin, left, right);
  const Axis y(ys.low - space, ys.high + space, bottom, top);
  for (const auto& [value, text] : y.ticks(5)) {
    svg.line(left, y.at(value), right, y.at(value), "sv-grid");
    svg.text(left - 7, y.at(value) + 4, text, "sv-small", Anchor::end);
  }
  svg.line(left, bottom, right, bottom, "sv-axis");
  svg.text(left - 46, top + plot_height / 2, s.y_label, "sv-text", Anchor::middle, -90);
  if (s.choices.empty()) {
    draw_numbers(svg, s, x);
  } else {
    draw_choices(svg, s, y);
  }
  draw_points(svg, s, x, y);
  draw_legend(svg, s);
  return svg.str();
}

}  // namespace serene
