#include "serene/eval/model_card.h"

#include <doctest/doctest.h>

#include "predictions.h"
#include "serene/core/utf8.h"

using namespace serene;
using serene::test::crowd;

namespace {

const std::string hostile = "<script>|a\n# b\x01\xff`*[x](y)";

ModelCard card(const std::string& text) {
  ModelCard c;
  c.name = text;
  c.notes = {{"version", "1.2.3"}, {"data_licence", text}, {"test_speakers", text}, {"intended_use", "demonstration"}};
  c.data = {{text, text}};
  c.architecture = "13 layers", c.features = text;
  return c;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  }
  return lines;
}

// Cells of a line of a table: bars that no backslash guards, less one.
std::size_t cells(const std::string& line) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < line.size(); ++i) n += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
  return n == 0 ? 0 : n - 1;
}

}  // namespace

TEST_CASE("model card: scores, people, limits; texts from outside break nothing") {
  const std::vector<std::string> labels = {"neutral", "happy", "sad|x", "angry"};
  EvaluationOptions options;
  options.title = "m", options.protocol = "holdout";
  const Evaluation e = evaluate(crowd(4, 6, 4), labels, options);
  const std::string text = model_card(card(hostile), e), tame = model_card(card("m"), e);
  CHECK(is_utf8(text));
  CHECK(lines_of(text).size() == lines_of(tame).size());
  std::size_t width = 0;
  for (const std::string& line : lines_of(text)) {
    CAPTURE(line);
    CHECK(line.find('<') == line.find("\\<") + (line.find('<') == std::string::npos ? 0 : 1));
    if (line.starts_with("|---")) continue;
    if (cells(line) == 0) width = 0;
    else if (width == 0) width = cells(line);
    CHECK(cells(line) == width);
  }
  for (const char* words :
       {"1.2.3", "demonstration", "what a person feels", "Art. 50", "# Model card: m\n", "sad\\|x"}) {
    CHECK(tame.find(words) != std::string::npos);
  }
  CHECK(tame.find("LEAKY") == std::string::npos);
}

TEST_CASE("model card: a leaky model says so first, unknown facts are called unknown") {
  EvaluationOptions options;
  options.title = "m", options.protocol = "kaggle-leaky", options.leaky = true;
  const std::string text = model_card({"m", {}, {}, "", ""}, evaluate(crowd(2, 3, 4), {"a", "b", "c", "d"}, options));
  CHECK(text.find("LEAKY") < text.find("## "));
  CHECK(text.find("| licence of the training data | unknown |") != std::string::npos);
  CHECK(text.find("does not keep speakers apart") != std::string::npos);
}
