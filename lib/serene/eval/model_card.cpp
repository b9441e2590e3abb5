#include "serene/eval/model_card.h"

#include "serene/core/error.h"
#include "serene/eval/report.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

constexpr std::size_t kLongest = 4096;

// Names of files, labels and speakers come from outside.
std::string plain(const std::string& text) {
  static const std::string special = "\\`*_{}[]<>()#+!|~&";
  std::string safe;
  for (const char c : printable(text, kLongest)) {
    if (special.find(c) != std::string::npos) safe += '\\';
    safe += c;
  }
  return safe;
}

std::string row(const std::string& name, const std::string& value) { return "| " + name + " | " + value + " |\n"; }
std::string head(const std::string& name, const std::string& value) { return row(name, value) + "|---|---|\n"; }

std::string interval_text(const Interval& i) {
  std::string text = percent(i.estimate) + " %";
  if (i.valid()) text += " (95 % interval over speakers " + percent(i.low) + " to " + percent(i.high) + ")";
  return text;
}

std::string note(const ModelCard& card, const std::string& key, const std::string& otherwise = "unknown") {
  const auto found = card.notes.find(key);
  return found == card.notes.end() || found->second.empty() ? otherwise : plain(found->second);
}

std::string identity(const ModelCard& card) {
  std::string text = head("model", plain(card.name));
  text += row("architecture", plain(card.architecture)) + row("features", plain(card.features));
  text += row("made by", "serene " + note(card, "version") + ", seed " + note(card, "seed") + ", best epoch " +
                             note(card, "best_epoch") + " of " + note(card, "epochs"));
  text += row("licence of the training data", note(card, "data_licence"));
  text += row("config, SHA-256", note(card, "config_sha256"));
  return text + row("data, SHA-256", note(card, "data_sha256"));
}

std::string people(const ModelCard& card) {
  std::string text;
  for (const auto& [key, words] :
       {std::pair("train_speakers", "Trained on"), std::pair("validation_speakers", "Chosen on"),
        std::pair("test_speakers", "Tested on")}) {
    const std::string speakers = note(card, key, "");
    if (!speakers.empty()) text += "- " + std::string(words) + ": " + speakers + "\n";
  }
  return text.empty() ? "The split does not keep speakers apart: test speakers were heard in training.\n" : text;
}

std::string scores(const Evaluation& e) {
  std::string text = head("score", std::to_string(e.clips) + " test clips, protocol " + plain(e.protocol));
  text += row("UAR", interval_text(e.uar)) + row("accuracy", interval_text(e.war));
  text += row("macro-F1", percent(e.scores.macro_f1) + " %");
  text += row("UAR of single speakers", percent(e.speaker_uar.min) + " to " + percent(e.speaker_uar.max) +
                                            " %, median " + percent(e.speaker_uar.median) + " %");
  for (const GroupScore& sex : e.sexes) text += row("UAR, " + plain(sex.name), percent(sex.uar) + " %");
  text += row("calibration error (ECE)", percent(e.calibrated.ece) + " %");
  if (e.certain) {
    text += row("where it is certain", percent(e.certain->coverage) + " % of the clips, of which " +
                                           percent(e.certain->accuracy) + " % right");
  }
  return text;
}

std::string classes(const Evaluation& e) {
  std::string text = "| emotion | clips | recall % | precision % |\n|---|---|---|---|\n";
  for (std::size_t k = 0; k < e.labels.size(); ++k) {
    const ClassScore& c = e.scores.classes[k];
    text += "| " + plain(e.labels[k]) + " | " + std::to_string(c.support) + " | " + percent(c.recall) + " | " +
            percent(c.precision) + " |\n";
  }
  return text;
}

}  // namespace

std::string model_card(const ModelCard& card, const Evaluation& e) {
  std::string text = "# Model card: " + plain(card.name) + "\n\n";
  if (e.leaky) text += "**" + std::string(leaky_warning) + "**\n\n";
  text += identity(card) + "\n## Intended use\n\n" + note(card, "intended_use") + ".\n\n" + limits_statement() + "\n\n";
  text +=
      "In the European Union people must be told when a system recognises their emotions (Regulation (EU) 2024/1689, "
      "Art. 50); inferring the emotions of employees from their voices is prohibited (Art. 5), and such systems are "
      "high-risk (Annex III). The GDPR applies to the recordings and to what is inferred from them. This is not legal "
      "advice.\n\n";
  text += "## Data\n\n" + head("fact", "value");
  for (const auto& [name, value] : card.data) text += row(plain(name), plain(value));
  text += "\n" + people(card) + "\n## Scores\n\n" + scores(e) + "\n" + classes(e);
  for (const std::string& n : e.notes) text += "\nNote: " + plain(n) + "\n";
  return text;
}

}  // namespace serene
