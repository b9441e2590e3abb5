// One self-contained HTML page: inline style and pictures, no script, no reference to anything outside; readable on
// paper, in the dark and by a screen reader.
#pragma once

#include <string>
#include <vector>

namespace serene {

class HtmlReport {
 public:
  // mark: when not empty ("LEAKY"), it stands in every heading, caption and table row.
  explicit HtmlReport(std::string title, std::string subtitle = "", std::string mark = "");

  // All text is escaped. Headings of level 2 make up the list of contents; level is 2 or 3.
  void heading(const std::string& text, int level = 2);
  void paragraph(const std::string& text);
  void warning(const std::string& text);
  void list(const std::vector<std::string>& items);
  void preformatted(const std::string& text);
  // The first cell of a row is its heading; cells that look like numbers stand to the right.
  void table(const std::string& caption, const std::vector<std::string>& header,
             const std::vector<std::vector<std::string>>& rows);
  // svg: a document of charts.h, put in as it is.
  void figure(const std::string& svg, const std::string& caption);

  std::string str() const;  // the whole page

 private:
  std::string marked(const std::string& text) const;

  std::string title_, subtitle_, mark_, body_;
  std::vector<std::string> contents_;
};

}  // namespace serene
