#include <algorithm>
#include <cmath>

#include "serene/core/error.h"
#include "serene/eval/charts.h"
#include "serene/eval/svg.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

// Width of text in pixels, roughly, at the given font size.
double text_width(const std::string& text, double size) { return 0.58 * size * static_cast<double>(text.size()); }

std::vector<std::string> short_labels(const std::vector<std::string>& labels) {
  std::vector<std::string> list;
  for (const std::string& label : labels) list.push_back(printable(label, 16));
  return list;
}

struct Cell {
  double x, y, size;
};

void draw_cell(Svg& svg, const Cell& cell, std::int64_t count, double share, const std::string& what) {
  svg.rect(cell.x + 1, cell.y + 1, cell.size - 2, cell.size - 2, "sv-cell", 0.04 + 0.96 * share,
           what + ": " + std::to_string(count) + " (" + fixed(100 * share, 1) + " %)");
  if (count == 0) return;
  const std::string ink = share > 0.5 ? " sv-inverse" : "";
  // Grey numbers would be hard to read on a middle blue.
  const std::string count_class = share > 0.5 ? "sv-small sv-inverse" : share > 0.2 ? "sv-number" : "sv-small";
  const double x = cell.x + cell.size / 2, y = cell.y + cell.size / 2;
  svg.text(x, y, fixed(100 * share, 0) + " %", "sv-text" + ink, Anchor::middle);
  svg.text(x, y + 14, std::to_string(count), count_class, Anchor::middle);
}

double widest_label(const BarChart& chart) {
  double widest = 0;
  for (const Bar& bar : chart.bars) widest = std::max(widest, text_width(printable(bar.label, 16), 10.5));
  return widest;
}

// Bars with whiskers inside a plot whose vertical axis is known.
void draw_bars(Svg& svg, const BarChart& chart, const Axis& y, double left, double slot, double bottom) {
  const bool slanted = widest_label(chart) > slot - 4;
  const std::string small = slot < 14 ? "sv-tiny" : "sv-small";
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double x = left + slot * static_cast<double>(i), middle = x + slot / 2, top = y.at(std::max(bar.value, 0.0));
    svg.rect(x + 0.14 * slot, top, 0.72 * slot, bottom - top,
             "sv-fill " + svg_colour(static_cast<std::size_t>(std::max(bar.colour, 0))), 0.85,
             bar.label + ": " + fixed(bar.value, 2));
    if (bar.low && bar.high) {
      const double cap = std::min(5.0, 0.25 * slot), low = y.at(*bar.low), high = y.at(*bar.high);
      svg.line(middle, low, middle, high, "sv-thin sv-ink");
      svg.line(middle - cap, low, middle + cap, low, "sv-thin sv-ink");
      svg.line(middle - cap, high, middle + cap, high, "sv-thin sv-ink");
    }
    const std::string label = printable(bar.label, 16);
    if (slanted) {
      svg.text(middle + 4, bottom + 13, label, small, Anchor::end, -55);
    } else {
      svg.text(middle, bottom + 16, label, small, Anchor::middle);
    }
  }
}

double highest(const BarChart& chart) {
  double top = 0;
  for (const Bar& bar : chart.bars) {
    if (std::isfinite(bar.value)) top = std::max(top, bar.value);
    if (bar.high && std::isfinite(*bar.high)) top = std::max(top, *bar.high);
  }
  return top > 0 ? 1.05 * top : 1;
}

}  // namespace

std::string confusion_chart(const ConfusionMatrix& matrix, const std::vector<std::string>& labels,
                            const std::string& title) {
  const std::vector<std::string> names = short_labels(labels);
  double widest = 40;
  for (const std::string& name : names) widest = std::max(widest, text_width(name, 12));
  const double cell = matrix.classes > 10 ? 46 : 56, left = 44 + widest, top = 62;
  const double side = cell * static_cast<double>(matrix.classes);
  const double height = top + side + 0.75 * widest + 44;
  Svg svg(std::max(left + side + 24, 30 + text_width(title, 15.5)), height, title);
  svg.text(16, 24, title, "sv-title");
  svg.text(left, top - 12, "rows: truth, share of the row and clips", "sv-small");
  for (Index r = 0; r < matrix.classes; ++r) {
    const double y = top + cell * static_cast<double>(r);
    const double total = static_cast<double>(std::max<std::int64_t>(matrix.row_sum(r), 1));
    svg.text(left - 8, y + cell / 2 + 4, names[static_cast<std::size_t>(r)], "sv-text", Anchor::end);
    for (Index c = 0; c < matrix.classes; ++c) {
      const std::string what = names[static_cast<std::size_t>(r)] + " taken for " + names[static_cast<std::size_t>(c)];
      draw_cell(svg, {left + cell * static_cast<double>(c), y, cell}, matrix.at(r, c),
                static_cast<double>(matrix.at(r, c)) / total, what);
    }
    const double x = left + cell * (static_cast<double>(r) + 0.5);
    svg.text(x + 4, top + side + 16, names[static_cast<std::size_t>(r)], "sv-text", Anchor::end, -45);
  }
  svg.text(18, top + side / 2, "truth", "sv-text", Anchor::middle, -90);
  svg.text(left + side / 2, height - 12, "prediction", "sv-text", Anchor::middle);
  return svg.str();
}

std::string reliability_chart(std::span<const ReliabilityBin> bins, const std::string& title) {
  const double left = 66, top = 52, size = 330, strip = 62, strip_top = top + size + 40;
  Svg svg(std::max(430.0, 30 + text_width(title, 15.5)), strip_top + strip + 46, title);
  const Axis x(0, 1, left, left + size), y(0, 1, top + size, top);
  svg.text(16, 24, title, "sv-title");
  for (const auto& [value, text] : y.ticks(5)) {
    svg.line(left, y.at(value), left + size, y.at(value), "sv-grid");
    svg.text(left - 7, y.at(value) + 4, fixed(100 * value, 0), "sv-small", Anchor::end);
    svg.text(x.at(value), top + size + 17, fixed(100 * value, 0), "sv-small", Anchor::middle);
    svg.text(x.at(value), strip_top + strip + 16, fixed(100 * value, 0), "sv-small", Anchor::middle);
  }
  std::int64_t most = 1;
  for (const ReliabilityBin& bin : bins) most = std::max(most, bin.count);
  for (const ReliabilityBin& bin : bins) {
    if (bin.count == 0) continue;
    const double width = x.at(bin.high) - x.at(bin.low) - 2, at = x.at(bin.low) + 1;
    const std::string tip = std::to_string(bin.count) + " clips, confidence " + fixed(100 * bin.confidence, 1) +
                            " %, right " + fixed(100 * bin.accuracy, 1) + " %";
    svg.rect(at, y.at(bin.accuracy), width, y.at(0) - y.at(bin.accuracy), "sv-fill sv-c0", 0.75, tip);
    const double tall = strip * static_cast<double>(bin.count) / static_cast<double>(most);
    svg.rect(at, strip_top + strip - tall, width, tall, "sv-fill sv-c4", 0.85, tip);
  }
  svg.line(x.at(0), y.at(0), x.at(1), y.at(1), "sv-axis sv-dash");
  for (const ReliabilityBin& bin : bins) {
    if (bin.count > 0) svg.circle(x.at(bin.confidence), y.at(bin.accuracy), 3.5, "sv-fill sv-c1");
  }
  svg.line(left, top + size, left + size, top + size, "sv-axis");
  svg.line(left, strip_top + strip, left + size, strip_top + strip, "sv-axis");
  svg.text(left - 44, top + size / 2, "right answers (%)", "sv-text", Anchor::middle, -90);
  svg.text(left - 44, strip_top + strip / 2, "clips", "sv-text", Anchor::middle, -90);
  svg.text(left - 7, strip_top + 8, std::to_string(most), "sv-small", Anchor::end);
  svg.text(left + size / 2, strip_top + strip + 36, "confidence (%)", "sv-text", Anchor::middle);
  return svg.str();
}

std::string bar_chart(const BarChart& chart) {
  const double count = static_cast<double>(std::max<std::size_t>(chart.bars.size(), 1));
  const double left = 66, top = 62, height = 260, bottom = top + height;
  const double slot = std::clamp(1000 / count, 11.0, 56.0), plot = std::max(slot * count, 320.0);
  const double below = 24 + (widest_label(chart) > slot - 4 ? 0.85 * widest_label(chart) : 0);
  Svg svg(std::max(left + plot + 24, 30 + text_width(chart.title, 15.5)), bottom + below, chart.title);
  const Axis y(0, chart.y_high.value_or(highest(chart)), bottom, top);
  svg.text(16, 24, chart.title, "sv-title");
  for (const auto& [value, text] : y.ticks(5)) {
    svg.line(left, y.at(value), left + plot, y.at(value), "sv-grid");
    svg.text(left - 7, y.at(value) + 4, text, "sv-small", Anchor::end);
  }
  draw_bars(svg, chart, y, left, slot, bottom);
  svg.line(left, bottom, left + plot, bottom, "sv-axis");
  if (chart.reference) {
    svg.line(left, y.at(*chart.reference), left + plot, y.at(*chart.reference), "sv-thin sv-ink sv-dash");
  }
  svg.text(left - 44, top + height / 2, chart.y_label, "sv-text", Anchor::middle, -90);
  double at = left;
  for (std::size_t i = 0; i < chart.colours.size(); ++i) {
    svg.rect(at, top - 22, 12, 12, "sv-fill " + svg_colour(i), 0.85);
    svg.text(at + 17, top - 12, chart.colours[i], "sv-small");
    at += 34 + text_width(chart.colours[i], 11);
  }
  if (chart.reference && !chart.reference_label.empty()) {
    svg.line(at, top - 16, at + 22, top - 16, "sv-thin sv-ink sv-dash");
    svg.text(at + 27, top - 12, chart.reference_label, "sv-small");
  }
  return svg.str();
}

}  // namespace serene
