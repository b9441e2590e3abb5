#include "serene/eval/html_report.h"

#include <algorithm>

#include "serene/eval/svg.h"

namespace serene {
namespace {

constexpr const char* style = R"(
:root{color-scheme:light dark;--ink:#24292f;--soft:#57606a;--line:#d0d7de;--page:#fff;--block:#f6f8fa;--warn:#fff1e5;--edge:#d55e00;--link:#0060a0}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5afba;--line:#30363d;--page:#0d1117;--block:#161b22;--warn:#33200f;--edge:#ff8a3d;--link:#6cb6ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI","DejaVu Sans",Arial,sans-serif}
main{max-width:1060px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.8rem;line-height:1.25;margin:.4em 0 .1em}
h2{font-size:1.3rem;margin:2em 0 .5em;padding-bottom:.25em;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.5em 0 .4em}
.subtitle{color:var(--soft);margin:0 0 1em}
a{color:var(--link)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2em 1.2em;padding:0}
.warning{background:var(--warn);border-left:5px solid var(--edge);padding:.7em 1em;margin:1em 0;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.8em 0;font-variant-numeric:tabular-nums;font-size:.93rem}
caption{text-align:left;color:var(--soft);padding:.2em 0 .4em;caption-side:top}
th,td{padding:.28em .8em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-bottom:2px solid var(--line)}
tbody th{font-weight:500}
.number{text-align:right}
.mark{color:var(--edge);font-weight:700}
pre{background:var(--block);border:1px solid var(--line);border-radius:6px;padding:.9em;overflow-x:auto;font-size:.85rem;line-height:1.4}
figure{margin:1.2em 0;break-inside:avoid}
figure svg{max-width:100%;height:auto;border:1px solid var(--line);border-radius:6px}
figcaption{color:var(--soft);font-size:.9rem}
@media print{main{max-width:none;padding:0}nav{display:none}body{font-size:11pt}h2{break-after:avoid}tr{break-inside:avoid}}
)";

bool is_number(const std::string& text) {
  const bool digit = std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digit && text.find_first_not_of("+-.0123456789 %") == std::string::npos;
}

}  // namespace

HtmlReport::HtmlReport(std::string title, std::string subtitle, std::string mark)
    : title_(std::move(title)), subtitle_(std::move(subtitle)), mark_(std::move(mark)) {}

std::string HtmlReport::marked(const std::string& text) const {
  const bool already = mark_.empty() || text.find(mark_) != std::string::npos;
  return escape_markup(already ? text : mark_ + ": " + text);
}

void HtmlReport::heading(const std::string& text, int level) {
  const std::string number = level <= 2 ? "2" : "3";
  body_ += "<h" + number;
  if (level <= 2) {
    contents_.push_back(text);
    body_ += " id=\"section-" + std::to_string(contents_.size()) + "\"";
  }
  body_ += ">" + marked(text) + "</h" + number + ">\n";
}

void HtmlReport::paragraph(const std::string& text) { body_ += "<p>" + escape_markup(text) + "</p>\n"; }

void HtmlReport::warning(const std::string& text) {
  body_ += "<p class=\"warning\" role=\"note\">" + escape_markup(text) + "</p>\n";
}

void HtmlReport::list(const std::vector<std::string>& items) {
  if (items.empty()) return;
  body_ += "<ul>\n";
  for (const std::string& item : items) body_ += "<li>" + escape_markup(item) + "</li>\n";
  body_ += "</ul>\n";
}

void HtmlReport::preformatted(const std::string& text) {
  body_ += "<pre tabindex=\"0\">" + escape_markup(text) + "</pre>\n";
}

void HtmlReport::table(const std::string& caption, const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows) {
  // A column stands to the right when all its cells are numbers.
  std::vector<bool> numeric(header.size(), !rows.empty());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < header.size(); ++c) {
      const std::string cell = c < row.size() ? row[c] : "";
      if (!cell.empty() && cell != "-" && !is_number(cell)) numeric[c] = false;
    }
  }
  const auto css = [&](std::size_t c) { return c > 0 && numeric[c] ? " class=\"number\"" : ""; };
  body_ += "<div class=\"scroll\"><table>\n<caption>" + marked(caption) + "</caption>\n<thead><tr>";
  for (std::size_t c = 0; c < header.size(); ++c) {
    body_ += std::string("<th scope=\"col\"") + css(c) + ">" + escape_markup(header[c]) + "</th>";
  }
  if (!mark_.empty()) body_ += "<th scope=\"col\">validity</th>";
  body_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (std::size_t c = 0; c < header.size(); ++c) {
      const std::string cell = escape_markup(c < row.size() ? row[c] : "");
      body_ += c == 0 ? "<th scope=\"row\">" + cell + "</th>" : std::string("<td") + css(c) + ">" + cell + "</td>";
    }
    if (!mark_.empty()) body_ += "<td class=\"mark\">" + escape_markup(mark_) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</tbody>\n</table></div>\n";
}

void HtmlReport::figure(const std::string& svg, const std::string& caption) {
  body_ += "<figure>\n" + svg + "<figcaption>" + marked(caption) + "</figcaption>\n</figure>\n";
}

std::string HtmlReport::str() const {
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  page += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
  page += "<title>" + marked(title_) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n<main>\n";
  page += "<h1>" + marked(title_) + "</h1>\n";
  if (!subtitle_.empty()) page += "<p class=\"subtitle\">" + escape_markup(subtitle_) + "</p>\n";
  if (!contents_.empty()) {
    page += "<nav aria-label=\"Contents\"><ul>\n";
    for (std::size_t i = 0; i < contents_.size(); ++i) {
      page += "<li><a href=\"#section-" + std::to_string(i + 1) + "\">" + escape_markup(contents_[i]) + "</a></li>\n";
    }
    page += "</ul></nav>\n";
  }
  return page + body_ + "</main>\n</body>\n</html>\n";
}

}  // namespace serene
