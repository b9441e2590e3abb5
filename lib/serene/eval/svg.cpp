#include "serene/eval/svg.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "serene/core/utf8.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

constexpr const char* style =
    ".sv text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu "
    "Sans',Arial,sans-serif;font-size:12px;fill:#24292f}"
    ".sv .sv-title{font-size:15px;font-weight:600}.sv .sv-small{font-size:10.5px;fill:#57606a}"
    ".sv .sv-number{font-size:10.5px}.sv .sv-tiny{font-size:9px;fill:#57606a}.sv .sv-inverse{fill:#fff}.sv "
    ".sv-bg{fill:#fff}.sv .sv-cell{fill:#0072b2}"
    ".sv .sv-grid{stroke:#d8dee4;stroke-width:1}.sv .sv-axis{stroke:#57606a;stroke-width:1}"
    ".sv .sv-dash{stroke-dasharray:5 4}.sv .sv-line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}"
    ".sv .sv-fill{fill:currentColor}.sv .sv-thin{stroke:currentColor;stroke-width:1.4;fill:none}"
    ".sv .sv-c0{color:#0072b2}.sv .sv-c1{color:#d55e00}.sv .sv-c2{color:#009e73}.sv .sv-c3{color:#cc79a7}"
    ".sv .sv-c4{color:#b98700}.sv .sv-c5{color:#56b4e9}.sv .sv-ink{color:#24292f}"
    "@media (prefers-color-scheme:dark){.sv text{fill:#e6edf3}.sv .sv-small,.sv .sv-tiny{fill:#a5afba}"
    ".sv .sv-inverse{fill:#fff}.sv .sv-bg{fill:#161b22}.sv .sv-grid{stroke:#30363d}.sv .sv-axis{stroke:#a5afba}"
    ".sv .sv-c0{color:#56b4e9}.sv .sv-c1{color:#ff8a3d}.sv .sv-c2{color:#2fc99b}.sv .sv-c4{color:#f0c419}"
    ".sv .sv-c5{color:#0a8fd6}.sv .sv-ink{color:#e6edf3}}";

std::string px(double value) {
  std::string text = fixed(value, 2);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

bool finite(std::initializer_list<double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string attribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + escape_markup(value) + "\"";
}

std::string point_list(std::span<const std::pair<double, double>> points) {
  std::string list;
  for (const auto& [x, y] : points) {
    if (finite({x, y})) list += (list.empty() ? "" : " ") + px(x) + "," + px(y);
  }
  return list;
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    const std::string_view symbol = text.substr(i, std::max<std::size_t>(length, 1));
    const char c = symbol.front();
    i += symbol.size();
    if (length > 1) {
      out += symbol == "\xEF\xBF\xBE" || symbol == "\xEF\xBF\xBF" ? "?" : symbol;  // no characters of XML
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      const bool fine = length == 1 && ((c >= ' ' && c != 127) || c == '\n' || c == '\t');
      out += fine ? c : '?';
    }
  }
  return out;
}

std::string svg_colour(std::size_t series) { return "sv-c" + std::to_string(series % svg_colours); }

Svg::Svg(double width, double height, const std::string& title) : width_(width), height_(height), title_(title) {}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& css) {
  if (!finite({x1, y1, x2, y2})) return;
  body_ += "<line" + attribute("class", css) + attribute("x1", px(x1)) + attribute("y1", px(y1)) +
           attribute("x2", px(x2)) + attribute("y2", px(y2)) + "/>\n";
}

void Svg::rect(double x, double y, double width, double height, const std::string& css, double opacity,
               const std::string& tooltip) {
  if (!finite({x, y, width, height, opacity}) || width < 0 || height < 0) return;
  body_ += "<rect" + attribute("class", css) + attribute("x", px(x)) + attribute("y", px(y)) +
           attribute("width", px(width)) + attribute("height", px(height));
  if (opacity < 1) body_ += attribute("fill-opacity", px(opacity));
  body_ += tooltip.empty() ? "/>\n" : "><title>" + escape_markup(tooltip) + "</title></rect>\n";
}

void Svg::circle(double x, double y, double radius, const std::string& css) {
  if (!finite({x, y, radius})) return;
  body_ += "<circle" + attribute("class", css) + attribute("cx", px(x)) + attribute("cy", px(y)) +
           attribute("r", px(radius)) + "/>\n";
}

void Svg::polyline(std::span<const std::pair<double, double>> points, const std::string& css) {
  const std::string list = point_list(points);
  if (!list.empty()) body_ += "<polyline" + attribute("class", css) + attribute("points", list) + "/>\n";
}

void Svg::polygon(std::span<const std::pair<double, double>> points, const std::string& css, double opacity) {
  const std::string list = point_list(points);
  if (list.empty() || !finite({opacity})) return;
  body_ += "<polygon" + attribute("class", css) + attribute("points", list) +
           (opacity < 1 ? attribute("fill-opacity", px(opacity)) : "") + "/>\n";
}

void Svg::text(double x, double y, std::string_view text, const std::string& css, Anchor anchor,
               double rotate_degrees) {
  if (!finite({x, y, rotate_degrees}) || text.empty()) return;
  body_ += "<text" + attribute("class", css) + attribute("x", px(x)) + attribute("y", px(y));
  if (anchor != Anchor::start) body_ += attribute("text-anchor", anchor == Anchor::middle ? "middle" : "end");
  if (rotate_degrees != 0) {
    body_ += attribute("transform", "rotate(" + px(rotate_degrees) + " " + px(x) + " " + px(y) + ")");
  }
  body_ += ">" + escape_markup(text) + "</text>\n";
}

std::string Svg::str() const {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sv\" role=\"img\"" + attribute("aria-label", title_) +
         attribute("width", px(width_)) + attribute("height", px(height_)) +
         attribute("viewBox", "0 0 " + px(width_) + " " + px(height_)) + ">\n<title>" + escape_markup(title_) +
         "</title>\n<style>" + style + "</style>\n<rect class=\"sv-bg\" width=\"100%\" height=\"100%\"/>\n" + body_ +
         "</svg>\n";
}

Axis::Axis(double low, double high, double pixel_low, double pixel_high)
    : low_(low), high_(high), pixel_low_(pixel_low), pixel_high_(pixel_high) {
  if (!std::isfinite(low_) || !std::isfinite(high_) || low_ > high_ || !std::isfinite(high_ - low_))
    low_ = 0, high_ = 1;
  const double size = std::max(std::abs(low_), std::abs(high_));
  if (high_ - low_ <= 1e-9 * size || high_ == low_) {
    const double margin = size > 0 ? 0.5 * size : 0.5;
    low_ -= margin, high_ += margin;
  }
}

std::vector<std::pair<double, std::string>> Axis::ticks(int count) const {
  const double raw = (high_ - low_) / std::max(count, 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double step = power * (raw / power <= 1 ? 1 : raw / power <= 2 ? 2 : raw / power <= 5 ? 5 : 10);
  const int digits = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 12);
  std::vector<std::pair<double, std::string>> list;
  for (double k = std::ceil(low_ / step - 1e-9); k * step <= high_ + 1e-9 * step && list.size() < 100; k += 1) {
    list.emplace_back(k * step, fixed(k * step, digits));
  }
  return list;
}

}  // namespace serene
