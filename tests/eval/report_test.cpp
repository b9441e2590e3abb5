#include "serene/eval/report.h"

#include <doctest/doctest.h>

#include <limits>

#include "markup_check.h"
#include "predictions.h"
#include "serene/eval/charts.h"
#include "serene/eval/html_report.h"
#include "serene/eval/svg.h"

using namespace serene;
using serene::test::crowd;
using serene::test::markup_error;

namespace {

const std::string hostile = "<script>alert(\"1\")</script>&'\x01\xff\n";
const std::vector<std::string> labels = {"neutral", "happy", "sad", "angry"};

LearningCurves curves() {
  LearningCurves c;
  for (int e = 1; e <= 5; ++e) {
    c.epoch.push_back(e);
    c.train_loss.push_back(1.0 / e);
    c.validation_loss.push_back(1.0 / e + 0.1);
    c.train_score.push_back(0.1 * e);
  }
  c.best_epoch = 3;
  return c;
}

ReportContext context() {
  ReportContext c;
  c.subtitle = hostile;
  c.command = "serene evaluate " + hostile;
  c.config = "{\"a\": \"" + hostile + "\"}";
  c.data = {{"clips", "100"}, {hostile, hostile}};
  c.skipped = {{hostile, "no samples"}};
  c.warnings = {hostile};
  c.curves = curves();
  return c;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("markup check: tells broken markup from sound") {
  CHECK(markup_error("<a b=\"1\"><c/>x &amp; y</a>").empty());
  for (const char* broken :
       {"<a>", "<a></b>", "<a b=1></a>", "<a b=\"1\" b=\"2\"/>", "a & b", "<a>\x01</a>", "<a", "</a>"}) {
    CHECK_FALSE(markup_error(broken).empty());
  }
}

TEST_CASE("escape_markup: markup, control characters and broken UTF-8") {
  CHECK(escape_markup("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  CHECK(escape_markup("caf\xc3\xa9 \xff\x01\xed\xa0\x80\xef\xbf\xbf") == "caf\xc3\xa9 ??????");
}

TEST_CASE("charts: well-formed whatever the names and numbers") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Evaluation e = evaluate(crowd(5, 20, 4), {"<a>", "b&c", "\"d\"", hostile});
  LineChart lines;
  lines.title = hostile;
  lines.x_label = hostile;
  lines.series = {{hostile, {1, 2, 3, 4}, {1, nan, inf, 2}, true, true}, {"empty", {}, {}}, {"one", {1}, {1e308}}};
  lines.mark_x = 2;
  lines.mark_label = hostile;
  BarChart bars;
  bars.title = hostile;
  bars.bars = {{hostile, nan, nan, inf, 0}, {"b", 3, 2, 4, 7}, {"c", -1, {}, {}, -4}};
  bars.colours = {hostile};
  LearningCurves poor;
  poor.epoch = {1};
  poor.train_loss = {nan};
  for (const std::string& svg :
       {confusion_chart(e.confusion, e.labels, hostile), reliability_chart(e.reliability, hostile), line_chart(lines),
        line_chart({}), bar_chart(bars), bar_chart({}), learning_curves_chart(curves(), hostile),
        learning_curves_chart(poor, ""), speaker_chart(e), reliability_chart({}, ""),
        confusion_chart(ConfusionMatrix(1), {"x"}, "")}) {
    CHECK(markup_error(svg) == "");
    CHECK(svg.find("<svg xmlns=") == 0);
    CHECK(svg.find("<script") == std::string::npos);
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("n/a") == std::string::npos);
    CHECK(count(svg, "http") == 1);  // the namespace, nothing to fetch
  }
}

TEST_CASE("charts: the learning curves mark the best epoch and the confusion matrix shows its counts") {
  CHECK(learning_curves_chart(curves(), "t").find("best epoch") != std::string::npos);
  LearningCurves none = curves();
  none.best_epoch.reset();
  CHECK(learning_curves_chart(none, "t").find("best epoch") == std::string::npos);
  ConfusionMatrix m(2);
  m.counts = {3, 1, 0, 97};
  const std::string svg = confusion_chart(m, {"a", "b"}, "t");
  CHECK(svg.find(">75 %<") != std::string::npos);
  CHECK(svg.find(">97<") != std::string::npos);
}

TEST_CASE("axis: ticks at round numbers within the range") {
  const Axis axis(0, 1, 0, 100);
  const auto ticks = axis.ticks(5);
  REQUIRE(ticks.size() == 6);
  CHECK(ticks[1].second == "0.2");
  CHECK(ticks[5].second == "1.0");
  CHECK(axis.at(0.25) == 25);
  CHECK(Axis(5, 5, 0, 1).ticks(4).size() >= 2);
  CHECK(Axis(std::numeric_limits<double>::quiet_NaN(), 1, 0, 1).ticks(4).size() >= 2);
  CHECK(Axis(-1e308, 1e308, 0, 1).ticks(4).size() >= 2);
  CHECK(Axis(0, 1e-300, 0, 1).ticks(4).size() < 101);
}

TEST_CASE("report: valid, self-contained, and hostile names are text") {
  auto list = crowd(5, 20, 4);
  for (Prediction& p : list) p.speaker += hostile;
  const Evaluation e = evaluate(list, labels, {.title = "model " + hostile, .protocol = "ravdess-luna5"});
  ReportContext c = context();
  c.variants = {e};
  const std::string page = evaluation_report(e, c);
  CHECK(markup_error(page) == "");
  CHECK(page.find("<!DOCTYPE html>") == 0);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("&lt;script&gt;") != std::string::npos);
  CHECK(page.find(" src=") == std::string::npos);
  CHECK(page.find("url(") == std::string::npos);
  CHECK(page.find("@import") == std::string::npos);
  CHECK(count(page, "http") == count(page, "http://www.w3.org/2000/svg") + count(page, "http-equiv"));
  CHECK(count(page, "<h1>") == 1);
  CHECK(count(page, "<svg ") == 5);
  CHECK(page.find(escape_markup(limits_statement())) != std::string::npos);
  CHECK(page.find("LEAKY") == std::string::npos);
  CHECK(page == evaluation_report(e, c));
}

TEST_CASE("report: LEAKY in the title, every heading, every caption and every row") {
  const EvaluationOptions leaky{.title = "m", .protocol = "kaggle-leaky", .leaky = true};
  const std::vector<FoldResult> folds = {
      {1, 0, crowd(4, 20, 4, 1)}, {1, 1, crowd(4, 20, 4, 2)}, {2, 0, crowd(4, 20, 4, 3)}};
  for (const std::string& page : {evaluation_report(evaluate(crowd(4, 20, 4), labels, leaky), context()),
                                  cross_validation_report(summarize(folds, labels, leaky), context())}) {
    CHECK(markup_error(page) == "");
    CHECK(page.find("<h1>LEAKY: ") != std::string::npos);
    CHECK(page.find("<title>LEAKY: ") != std::string::npos);
    CHECK(count(page, "<caption>") == count(page, "<caption>LEAKY: "));
    CHECK(count(page, "<figcaption>") == count(page, "<figcaption>LEAKY: "));
    CHECK(count(page, "<th scope=\"row\">") == count(page, "<td class=\"mark\">LEAKY</td>"));
    CHECK(count(page, "<svg ") == count(page, "aria-label=\"LEAKY: "));
    CHECK(page.find(escape_markup(leaky_warning)) != std::string::npos);
  }
}

TEST_CASE("html report: empty parts and ragged rows") {
  HtmlReport page("t");
  page.heading("one");
  page.heading("two", 3);
  page.list({});
  page.table("c", {"a", "b"}, {{"x"}, {"y", "1", "too many"}});
  page.table("empty", {"a"}, {});
  const std::string text = page.str();
  CHECK(markup_error(text) == "");
  CHECK(text.find("too many") == std::string::npos);
  CHECK(text.find("<td class=\"number\">1</td>") != std::string::npos);
  CHECK(markup_error(HtmlReport("").str()) == "");
}
