// A canvas that writes SVG by hand: self-contained, text escaped, colours by class so that a picture suits light and
// dark pages alike (palette of Okabe and Ito, safe for colour-blind readers).
//
// Coordinates in pixels, y downwards. Values that are not finite draw nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serene {

// Text for XML and HTML, in elements and in quoted attributes: markup escaped, control characters and broken UTF-8 as
// '?'.
std::string escape_markup(std::string_view text);

// Number of colours of series: classes "sv-c0" ... "sv-c5".
inline constexpr int svg_colours = 6;
std::string svg_colour(std::size_t series);

enum class Anchor { start, middle, end };

class Svg {
 public:
  // title: what the picture shows, for screen readers.
  Svg(double width, double height, const std::string& title);

  // css: one or more class names, see svg.cpp; style of a shape comes from its classes alone.
  void line(double x1, double y1, double x2, double y2, const std::string& css);
  void rect(double x, double y, double width, double height, const std::string& css, double opacity = 1,
            const std::string& tooltip = "");
  void circle(double x, double y, double radius, const std::string& css);
  void polyline(std::span<const std::pair<double, double>> points, const std::string& css);
  // Filled, without an edge, closed by itself.
  void polygon(std::span<const std::pair<double, double>> points, const std::string& css, double opacity = 1);
  void text(double x, double y, std::string_view text, const std::string& css = "sv-text",
            Anchor anchor = Anchor::start, double rotate_degrees = 0);

  double width() const { return width_; }
  double height() const { return height_; }
  std::string str() const;  // the whole picture

 private:
  double width_, height_;
  std::string title_, body_;
};

// Maps a range of values to a range of pixels and chooses its ticks.
class Axis {
 public:
  // Widens an empty or broken range so that it can be drawn.
  Axis(double low, double high, double pixel_low, double pixel_high);

  // Pixel of a value.
  double at(double value) const { return pixel_low_ + (value - low_) / (high_ - low_) * (pixel_high_ - pixel_low_); }
  double low() const { return low_; }
  double high() const { return high_; }
  // Multiples of 1, 2 or 5 times a power of ten within the range, about `count` of them, with their texts.
  std::vector<std::pair<double, std::string>> ticks(int count) const;

 private:
  double low_, high_, pixel_low_, pixel_high_;
};

}  // namespace serene
