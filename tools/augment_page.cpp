#include "augment_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "serene/eval/png.h"
#include "serene/eval/svg.h"

namespace serene::cli {
namespace {

constexpr Index kWidestPicture = 65535;

constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--ink:#24292f;--soft:#57606a;--line:#d0d7de;--page:#fff;--block:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5afba;--line:#30363d;--page:#0d1117;--block:#161b22}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",Arial,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.7rem;margin:.3em 0 .1em}
h2{font-size:1.15rem;margin:2em 0 .6em;padding-bottom:.25em;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
h3{font-size:1rem;margin:0}
p{margin:.5em 0;max-width:75ch}
.soft{color:var(--soft)}
.examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:14px}
article{background:var(--block);border:1px solid var(--line);border-radius:8px;padding:12px;min-width:0}
.picture{overflow-x:auto;margin:.6em 0;background:#02020c;border-radius:4px}
.picture img{display:block;height:192px;max-width:none;image-rendering:pixelated}
audio{width:100%;height:36px}
dl{margin:.5em 0 0;font-size:.92rem}
dt{font-weight:600;margin-top:.3em}
dd{margin:0}
)";

std::string url_of(const std::string& name) {
  static const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  std::string out;
  for (const char c : name) {
    if (plain.find(c) != std::string::npos) {
      out += c;
      continue;
    }
    std::array<char, 4> code{};
    std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += code.data();
  }
  return out;
}

std::string description(const std::string& term, const std::vector<std::string>& words) {
  if (words.empty()) return "";
  std::string out = "<dt>" + escape_markup(term) + "</dt>";
  for (const std::string& word : words) out += "<dd>" + escape_markup(word) + "</dd>";
  return out + "\n";
}

std::string article(const ShownExample& e) {
  std::array<char, 60> length{};
  std::snprintf(length.data(), length.size(), "%.2f s, %lld frames", e.seconds, static_cast<long long>(e.frames));
  const std::string name = escape_markup(e.name);
  std::string out = "<article>\n<h3>" + name + " <span class=\"soft\">" + length.data() + "</span></h3>\n";
  out += "<div class=\"picture\" tabindex=\"0\"><img src=\"" + url_of(e.picture_file) + "\" alt=\"Features of " + name +
         "\" style=\"width:" + std::to_string(std::min(e.frames, kWidestPicture) * 2) + "px\"></div>\n";
  out += "<audio controls preload=\"none\" src=\"" + url_of(e.wave_file) + "\"></audio>\n<dl>\n";
  out += description("To hear and to see", e.heard) + description("To see alone", e.seen);
  if (e.heard.empty() && e.seen.empty()) out += "<dd class=\"soft\">unchanged</dd>\n";
  return out + "</dl>\n</article>\n";
}

}  // namespace

std::string picture_of(const FeatureMatrix& m, double low, double high) {
  const Index width = std::min(m.frames, kWidestPicture), height = m.dim;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width * height));
  const double scale = high > low ? 255 / (high - low) : 0;
  for (Index t = 0; t < width; ++t) {
    for (Index c = 0; c < height; ++c) {
      const double place = std::clamp((static_cast<double>(m.row(t)[c]) - low) * scale, 0.0, 255.0);
      pixels[static_cast<std::size_t>((height - 1 - c) * width + t)] = static_cast<std::uint8_t>(std::lround(place));
    }
  }
  return to_png(static_cast<int>(width), static_cast<int>(height), pixels, heat_palette());
}

std::string listening_page(const std::string& subtitle, const std::string& picture,
                           const std::vector<ShownRecording>& recordings) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Augmentation to hear</title>\n"
      "<style>" +
      std::string(kStyle) + "</style>\n</head>\n<body>\n<main>\n<h1>Augmentation to hear</h1>\n<p class=\"soft\">" +
      escape_markup(subtitle) + "</p>\n";
  out +=
      "<p>Every picture shows what the model gets from one training clip in one epoch: " + escape_markup(picture) +
      ". Time runs to the right, two pixels a frame; low channels stand at the bottom.</p>\n"
      "<p>Pitch, rooms, noise, level and telephone lines change the recording: you hear and see them. Tempo, shifts of "
      "the spectrum, tilt and masks (data.augment itself) change the features alone: they are to be seen in the "
      "picture, and not to be heard.</p>\n";
  for (const ShownRecording& r : recordings) {
    out += "<section>\n<h2>" + escape_markup(r.path) + "</h2>\n<div class=\"examples\">\n";
    for (const ShownExample& e : r.examples) out += article(e);
    out += "</div>\n</section>\n";
  }
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace serene::cli
