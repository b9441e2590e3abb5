#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/eval/charts.h"
#include "serene/eval/svg.h"

namespace serene {
namespace {

struct Area {
  double x, y, width, height;
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

  void include(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

// Grid, ticks, labels and title around a plot.
void draw_frame(Svg& svg, const Area& a, const LineChart& chart, const Axis& x, const Axis& y) {
  for (const auto& [value, text] : y.ticks(5)) {
    svg.line(a.x, y.at(value), a.x + a.width, y.at(value), "sv-grid");
    svg.text(a.x - 7, y.at(value) + 4, text, "sv-small", Anchor::end);
  }
  for (const auto& [value, text] : x.ticks(7)) {
    svg.line(x.at(value), a.y + a.height, x.at(value), a.y + a.height + 4, "sv-axis");
    svg.text(x.at(value), a.y + a.height + 17, text, "sv-small", Anchor::middle);
  }
  svg.line(a.x, a.y + a.height, a.x + a.width, a.y + a.height, "sv-axis");
  svg.text(a.x + a.width / 2, a.y + a.height + 36, chart.x_label, "sv-text", Anchor::middle);
  svg.text(a.x - 44, a.y + a.height / 2, chart.y_label, "sv-text", Anchor::middle, -90);
}

void draw_legend(Svg& svg, const Area& a, const LineChart& chart) {
  double at = a.x;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& s = chart.series[i];
    if (s.name.empty()) continue;
    if (s.line) svg.line(at, a.y - 14, at + 18, a.y - 14, "sv-line " + svg_colour(i));
    if (s.points || !s.line) svg.circle(at + 9, a.y - 14, 3, "sv-fill " + svg_colour(i));
    svg.text(at + 23, a.y - 10, s.name, "sv-small");
    at += 40 + 6.2 * static_cast<double>(s.name.size());
  }
}

void draw_lines(Svg& svg, const Area& a, const LineChart& chart) {
  Range xs, ys;
  for (const Series& s : chart.series) {
    for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
      xs.include(s.x[i]);
      ys.include(s.y[i]);
    }
  }
  const double margin = std::isfinite(ys.high - ys.low) ? 0.06 * (ys.high - ys.low) : 0;
  const Axis x(xs.low, xs.high, a.x, a.x + a.width);
  const Axis y(chart.y_low.value_or(ys.low - margin), chart.y_high.value_or(ys.high + margin), a.y + a.height, a.y);
  draw_frame(svg, a, chart, x, y);
  if (chart.mark_x && *chart.mark_x >= x.low() && *chart.mark_x <= x.high()) {
    const double at = x.at(*chart.mark_x);
    const bool right = at < a.x + a.width - 90;
    svg.line(at, a.y, at, a.y + a.height, "sv-axis sv-dash");
    svg.text(at + (right ? 5 : -5), a.y + 12, chart.mark_label, "sv-small", right ? Anchor::start : Anchor::end);
  }
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& s = chart.series[i];
    std::vector<std::pair<double, double>> points;
    for (std::size_t k = 0; k < std::min(s.x.size(), s.y.size()); ++k) {
      if (!std::isfinite(s.x[k]) || !std::isfinite(s.y[k])) continue;
      points.emplace_back(x.at(s.x[k]), std::clamp(y.at(s.y[k]), a.y, a.y + a.height));
    }
    if (s.line && points.size() > 1) svg.polyline(points, "sv-line " + svg_colour(i));
    if (s.points || !s.line || points.size() == 1) {
      for (const auto& [px, py] : points) svg.circle(px, py, 3, "sv-fill " + svg_colour(i));
    }
  }
  draw_legend(svg, a, chart);
}

}  // namespace

std::string line_chart(const LineChart& chart) {
  Svg svg(640, 400, chart.title);
  svg.text(16, 24, chart.title, "sv-title");
  draw_lines(svg, {66, 66, 550, 276}, chart);
  return svg.str();
}

std::string learning_curves_chart(const LearningCurves& curves, const std::string& title) {
  Svg svg(940, 390, title);
  svg.text(16, 24, title, "sv-title");
  const auto panel = [&](const Area& area, const std::string& name, const std::vector<double>& train,
                         const std::vector<double>& validation) {
    LineChart chart;
    chart.x_label = "epoch";
    chart.y_label = name;
    chart.mark_x = curves.best_epoch;
    chart.mark_label = "best epoch";
    chart.series = {{"training", curves.epoch, train, true, false},
                    {"validation", curves.epoch, validation, true, false}};
    draw_lines(svg, area, chart);
  };
  const auto in_percent = [](std::vector<double> values) {
    for (double& v : values) v *= 100;
    return values;
  };
  panel({66, 66, 370, 266}, "loss", curves.train_loss, curves.validation_loss);
  panel({546, 66, 370, 266}, curves.score_name + " (%)", in_percent(curves.train_score),
        in_percent(curves.validation_score));
  return svg.str();
}

}  // namespace serene
