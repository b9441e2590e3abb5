#include "serene/train/run_folder.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "serene/eval/charts.h"
#include "serene/eval/model_card.h"
#include "serene/io/atomic_file.h"
#include "serene/io/tensorboard.h"

namespace serene {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "config.json";
constexpr const char* kSplit = "split.json";
constexpr const char* kLast = "last.safetensors";
constexpr const char* kLastButOne = "last-1.safetensors";
constexpr const char* kEvents = "events.out.tfevents.serene";

std::string csv_figure(double v) {
  if (!std::isfinite(v)) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

std::string csv_log(const std::vector<EpochRecord>& history) {
  std::string text = "epoch,learning_rate,train_loss,train_accuracy,val_loss,val_accuracy,val_uar,gradient_norm,best\n";
  for (const EpochRecord& r : history) {
    text += std::to_string(r.epoch);
    for (const double v :
         {r.learning_rate, r.train_loss, r.train_accuracy, r.val_loss, r.val_accuracy, r.val_uar, r.gradient_norm}) {
      text += "," + csv_figure(v);
    }
    text += r.best ? ",1\n" : ",0\n";
  }
  return text;
}

std::string jsonl_log(const std::vector<EpochRecord>& history) {
  std::string text;
  for (const EpochRecord& r : history) text += to_json(r).dump() + "\n";
  return text;
}

// Epochs count from 1, as on the terminal.
std::vector<ScalarStep> tensorboard_log(const std::vector<EpochRecord>& history) {
  std::vector<ScalarStep> steps;
  for (const EpochRecord& r : history) {
    steps.push_back({r.epoch + 1,
                     {{"loss/train", r.train_loss},
                      {"loss/validation", r.val_loss},
                      {"accuracy/train", r.train_accuracy},
                      {"accuracy/validation", r.val_accuracy},
                      {"UAR/validation", r.val_uar},
                      {"optimizer/learning_rate", r.learning_rate},
                      {"optimizer/gradient_norm", r.gradient_norm}}});
  }
  return steps;
}

Json data_summary(const FeatureSet& features) {
  Json labels = Json::object();
  const auto counts = label_counts(features.manifest);
  for (std::size_t i = 0; i < counts.size(); ++i) labels[features.manifest.labels[i]] = counts[i];
  Json skipped = Json::array();
  for (const SkippedClip& s : features.manifest.skipped) {
    skipped.push_back({{"file", fs::path(s.path).filename().string()}, {"reason", s.reason}});
  }
  return {{"name", features.manifest.name},
          {"clips", features.clips.size()},
          {"labels", labels},
          {"left_out", features.manifest.left_out},
          {"skipped", skipped}};
}

ModelCard card_of(const Checkpoint& best, const FeatureSet& features, const Split& split) {
  const Model<float> model = build_model_of(best);
  const FeatureConfig& f = features.config;
  ModelCard card;
  card.name = best.notes.at("name");
  card.notes = best.notes;
  card.data = data_facts(features, split);
  card.architecture = std::to_string(model.layer_count()) + " layers, " + std::to_string(model.parameter_count()) +
                      " parameters, " + std::to_string(best.labels.size()) + " emotions";
  card.features =
      f.preset + ": " + std::to_string(features.dim) + " values a frame at " + std::to_string(f.rate_hz) + " Hz";
  return card;
}

std::string text_of(const Json& json) { return json.dump(2) + "\n"; }

}  // namespace

bool RunFolder::has_config() const { return fs::exists(file(kConfig)); }
bool RunFolder::has_state() const { return fs::exists(file(kLast)) || fs::exists(file(kLastButOne)); }

void RunFolder::open(bool resume) const {
  if (!resume && has_config()) {
    throw Error(ErrorCode::usage, path_, "holds a run already")
        .hint("add --resume to go on with it, or name another folder with --run");
  }
  std::error_code failed;
  fs::create_directories(path_, failed);
  if (failed) throw Error(ErrorCode::input, path_, "cannot make the folder: " + failed.message());
  remove_stale_temp_files(path_);
}

void RunFolder::write_start(const RunConfig& config, const Split& split, const FeatureSet& features) const {
  write_file_atomic(file(kSplit), text_of(split_to_json(split, features.manifest)));
  write_file_atomic(file("data.json"), text_of(data_summary(features)));
  write_file_atomic(file(kConfig), text_of(to_json(config)));
}

void RunFolder::write_epoch(Experiment& experiment) const {
  const auto& history = experiment.trainer().history();
  std::error_code ignored;  // on the first epoch there is no last to keep
  fs::rename(file(kLast), file(kLastButOne), ignored);
  write_checkpoint(file(kLast), experiment.resumable());
  if (history.back().best) write_checkpoint(file("best.safetensors"), experiment.checkpoint(1));
  write_logs(history);
}

void RunFolder::write_logs(const std::vector<EpochRecord>& history) const {
  write_file_atomic(file("log.jsonl"), jsonl_log(history));
  write_file_atomic(file("log.csv"), csv_log(history));
  if (tensorboard_ || fs::exists(file(kEvents))) update_event_file(file(kEvents), tensorboard_log(history));
}

void RunFolder::write_end(Experiment& experiment, const Checkpoint& best, const Evaluation& evaluation,
                          const std::vector<Prediction>& predictions) const {
  const Trainer& trainer = experiment.trainer();
  const FeatureSet& features = experiment.dataset().features();
  write_checkpoint(file("best.safetensors"), best);
  write_logs(trainer.history());  // a run killed after its last checkpoint, but before the log, is resumed here
  write_file_atomic(file("predictions.json"), predictions_to_json(predictions).dump() + "\n");
  write_file_atomic(file("results.json"), text_of(to_json(evaluation)));
  ReportContext context;
  context.subtitle = experiment.split().name + ", seed " + std::to_string(experiment.config().seed);
  context.config = to_json(experiment.config()).dump(2);
  context.data = data_facts(features, experiment.split());
  context.skipped = skipped_clips(features);
  context.curves = learning_curves(trainer.history(), trainer.best_epoch());
  write_file_atomic(file("curves.svg"), learning_curves_chart(context.curves, evaluation.title));
  write_file_atomic(file("confusion.svg"),
                    confusion_chart(evaluation.confusion, evaluation.labels,
                                    heading_of(evaluation.title, evaluation.protocol, evaluation.leaky)));
  write_file_atomic(file("report.html"), evaluation_report(evaluation, context));
  write_file_atomic(file("model_card.md"), model_card(card_of(best, features, experiment.split()), evaluation));
}

RunConfig RunFolder::read_config() const {
  return with_context(file(kConfig), [&] { return run_config_from_json(read_json_file(file(kConfig))); });
}

Split RunFolder::read_split(const Manifest& manifest) const {
  return split_from_json(read_json_file(file(kSplit)), file(kSplit), manifest);
}

Checkpoint RunFolder::read_state(std::string& remark) const {
  if (!fs::exists(file(kLast)) && !fs::exists(file(kLastButOne))) {
    throw Error(ErrorCode::not_found, path_, "no run to resume: there is no " + std::string(kLast));
  }
  try {
    return read_checkpoint(file(kLast));
  } catch (const Error& e) {
    if (!fs::exists(file(kLastButOne))) throw;
    remark = std::string(e.what()) + "; resuming from " + kLastButOne;
    Checkpoint before = read_checkpoint(file(kLastButOne));
    // The next epoch keeps the present last as last-1; a damaged one must not take the place of the good one.
    if (e.code() == ErrorCode::input) fs::remove(file(kLast));
    return before;
  }
}

std::vector<std::pair<std::string, std::string>> data_facts(const FeatureSet& features, const Split& split) {
  const auto count = [](std::size_t n) { return std::to_string(n); };
  std::vector<std::pair<std::string, std::string>> facts{{"corpus", features.manifest.name},
                                                         {"clips", count(features.clips.size())},
                                                         {"speakers", count(speakers_of(features.manifest).size())},
                                                         {"features", features.config.preset},
                                                         {"split", split.name},
                                                         {"training clips", count(split.train.size())},
                                                         {"validation clips", count(split.validation.size())},
                                                         {"test clips", count(split.test.size())},
                                                         {"skipped clips", count(features.manifest.skipped.size())}};
  for (const auto& [reason, n] : features.manifest.left_out) facts.emplace_back("left out: " + reason, count(n));
  return facts;
}

std::vector<std::pair<std::string, std::string>> skipped_clips(const FeatureSet& features) {
  std::vector<std::pair<std::string, std::string>> skipped;
  for (const SkippedClip& s : features.manifest.skipped)
    skipped.emplace_back(fs::path(s.path).filename().string(), s.reason);
  return skipped;
}

LearningCurves learning_curves(const std::vector<EpochRecord>& history, Index best_epoch) {
  LearningCurves c;
  c.score_name = "accuracy";
  for (const EpochRecord& r : history) {
    c.epoch.push_back(static_cast<double>(r.epoch + 1));
    c.train_loss.push_back(r.train_loss), c.validation_loss.push_back(r.val_loss);
    c.train_score.push_back(r.train_accuracy), c.validation_score.push_back(r.val_accuracy);
  }
  if (best_epoch >= 0) c.best_epoch = static_cast<double>(best_epoch + 1);
  return c;
}

Json predictions_to_json(const std::vector<Prediction>& predictions) {
  Json list = Json::array();
  for (const Prediction& p : predictions) {
    list.push_back({{"clip", p.clip},
                    {"speaker", p.speaker},
                    {"sex", p.sex},
                    {"truth", p.truth},
                    {"temperature", p.temperature},
                    {"logits", p.logits}});
  }
  return list;
}

std::vector<Prediction> predictions_from_json(const Json& json, const std::string& where) {
  if (!json.is_array()) throw Error(ErrorCode::input, where, "not a list of predictions");
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < json.size(); ++i) {
    JsonReader r(json[i], where + "[" + std::to_string(i) + "]");
    Prediction p;
    p.clip = r.text("clip"), p.speaker = r.text("speaker"), p.sex = r.text("sex");
    p.truth = static_cast<int>(r.integer_in("truth", 0, 1 << 16));
    p.temperature = r.number("temperature");
    p.logits = r.numbers("logits");
    r.finish();
    predictions.push_back(std::move(p));
  }
  return predictions;
}

}  // namespace serene
