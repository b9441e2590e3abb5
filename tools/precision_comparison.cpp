#include "precision_comparison.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "serene/eval/evaluation.h"
#include "serene/eval/metrics.h"
#include "serene/eval/text_table.h"
#include "serene/nn/executor.h"
#include "serene/nn/inference_model.h"

namespace serene::cli {
namespace {

constexpr std::size_t kTimedClips = 200;
constexpr int kRounds = 3;

std::vector<double> probabilities(const Prediction& p) {
  std::vector<double> values = log_probabilities(p.logits, p.temperature);
  for (double& v : values) v = std::exp(v);
  return values;
}

void compare_answers(const std::vector<Prediction>& full, const std::vector<Prediction>& other, PrecisionFigures& f) {
  std::size_t same = 0, count = 0;
  double sum = 0;
  for (std::size_t i = 0; i < full.size(); ++i) {
    same += predicted_class(full[i]) == predicted_class(other[i]);
    const auto a = probabilities(full[i]), b = probabilities(other[i]);
    for (std::size_t k = 0; k < a.size(); ++k) {
      const double difference = std::abs(a[k] - b[k]);
      f.largest_difference = std::max(f.largest_difference, difference);
      sum += difference;
      ++count;
    }
  }
  f.same_answer = static_cast<double>(same) / static_cast<double>(full.size());
  f.mean_difference = sum / static_cast<double>(count);
}

double median(std::vector<double> values) { return min_median_max(std::move(values)).median; }

using Models = std::vector<std::unique_ptr<InferenceModel<float>>>;  // one for each format

// Times of a pass of one member over clips, a list for each format. The formats take turns, clip by clip, so that all
// meet the same machine.
std::vector<std::vector<double>> time_member(const EvaluationJob& job, std::size_t member, const Models& models) {
  using Clock = std::chrono::steady_clock;
  const Checkpoint& checkpoint = job.model.members[member];
  const FeatureSet& features = job.streams[job.member_stream[member]];
  const auto frames_of = [&](std::size_t clip) { return checkpoint.cut().length(features.clips[clip].frames); };
  const std::size_t step = std::max<std::size_t>(1, job.clips.size() / kTimedClips);
  Index longest = 1;
  for (const std::size_t clip : job.clips) longest = std::max(longest, frames_of(clip));
  ThreadPool one(1);
  std::vector<std::unique_ptr<Executor<float>>> executors;
  for (const auto& model : models) {
    ExecutorOptions options;
    options.max_time = longest;
    executors.push_back(std::make_unique<Executor<float>>(model->weights(), options, one));
  }
  std::vector<std::vector<double>> times(models.size());
  std::vector<float> x;
  for (std::size_t i = 0; i < job.clips.size(); i += step) {
    const ClipFeatures& clip = features.clips[job.clips[i]];
    const Index n = frames_of(job.clips[i]), channels = checkpoint.input_channels;
    x.assign(clip.values.begin(), clip.values.begin() + n * channels);
    if (!checkpoint.normalizer.mean.empty()) checkpoint.normalizer.apply(x.data(), n);
    for (std::size_t m = 0; m < models.size(); ++m) {
      double best = HUGE_VAL;
      for (int round = 0; round < kRounds; ++round) {
        const auto start = Clock::now();
        executors[m]->forward({x.data(), {1, n, channels}, nullptr});
        best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
      }
      times[m].push_back(best);
    }
  }
  return times;
}

// Median time of a clip through all members, one after the other.
void time_passes(const EvaluationJob& job, const std::vector<Models>& members, std::vector<PrecisionFigures>& figures) {
  std::vector<std::vector<double>> sums;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto times = time_member(job, i, members[i]);
    sums.resize(times.size(), std::vector<double>(times[0].size()));
    for (std::size_t f = 0; f < times.size(); ++f) {
      for (std::size_t k = 0; k < times[f].size(); ++k) sums[f][k] += times[f][k];
    }
  }
  for (std::size_t f = 0; f < figures.size(); ++f) figures[f].ms_a_clip = median(sums[f]);
}

std::string mebibytes(std::size_t bytes) { return fixed(static_cast<double>(bytes) / 1048576, 2); }

}  // namespace

std::vector<PrecisionFigures> compare_precisions(const EvaluationJob& job, ThreadPool& pool) {
  if (job.clips.empty()) throw Error(ErrorCode::input, job.title, "no clips to compare on");
  const auto classes = static_cast<Index>(job.model.labels.size());
  std::vector<Models> members(job.model.members.size());
  std::vector<PrecisionFigures> all;
  std::vector<Prediction> full;
  for (const Precision precision : {Precision::full, Precision::bf16, Precision::int8}) {
    const auto predictions = job_predictions(job, Standardise::global, precision, pool);
    if (full.empty()) full = predictions;
    PrecisionFigures f;
    f.precision = precision;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const Checkpoint& c = job.model.members[i];
      members[i].push_back(std::make_unique<InferenceModel<float>>(build_model_of(c), c.params, precision));
      f.packed_bytes += members[i].back()->weights().bytes();
    }
    const ConfusionMatrix matrix = confusion_matrix(predictions, classes);
    f.uar = unweighted_average_recall(matrix), f.accuracy = accuracy(matrix);
    f.uar_lost = bootstrap_difference(full, predictions, classes, unweighted_average_recall);
    f.accelerated = cpu_accelerates(precision);
    compare_answers(full, predictions, f);
    all.push_back(f);
  }
  time_passes(job, members, all);
  return all;
}

std::string comparison_table(const EvaluationJob& job, const std::vector<PrecisionFigures>& figures) {
  TextTable table({"precision", "MiB", "UAR %", "accuracy %", "UAR lost, points (95 %)", "same answer %",
                   "largest diff", "mean diff", "ms a clip", "speed"});
  for (const PrecisionFigures& f : figures) {
    const Interval& lost = f.uar_lost;
    const bool full = f.precision == Precision::full;
    table.row({precision_name(f.precision), mebibytes(f.packed_bytes), fixed(100 * f.uar, 2),
               fixed(100 * f.accuracy, 2),
               full ? "-"
                    : fixed(100 * lost.estimate, 2) + " (" + fixed(100 * lost.low, 2) + " to " +
                          fixed(100 * lost.high, 2) + ")",
               fixed(100 * f.same_answer, 2), fixed(f.largest_difference, 4), fixed(f.mean_difference, 5),
               fixed(f.ms_a_clip, 3), fixed(figures[0].ms_a_clip / f.ms_a_clip, 2) + "x"});
  }
  std::string text = heading_of(job.title, job.protocol, job.leaky) + ": " + std::to_string(job.clips.size()) +
                     " clips\n" + table.str();
  text += "MiB: packed weights. diff: of probabilities, to full. ms: one clip alone, one thread, without features.\n";
  for (const PrecisionFigures& f : figures) {
    if (!f.accelerated)
      text += std::string(precision_name(f.precision)) + ": no instructions of this processor make it faster.\n";
  }
  return text;
}

Json comparison_json(const EvaluationJob& job, const std::vector<PrecisionFigures>& figures) {
  Json rows = Json::array();
  for (const PrecisionFigures& f : figures) {
    rows.push_back(
        {{"precision", precision_name(f.precision)},
         {"packed_bytes", f.packed_bytes},
         {"uar", f.uar},
         {"accuracy", f.accuracy},
         {"uar_lost", {{"estimate", f.uar_lost.estimate}, {"low", f.uar_lost.low}, {"high", f.uar_lost.high}}},
         {"same_answer", f.same_answer},
         {"largest_difference", f.largest_difference},
         {"mean_difference", f.mean_difference},
         {"ms_a_clip", f.ms_a_clip},
         {"accelerated", f.accelerated}});
  }
  return {{"title", job.title},        {"protocol", job.protocol}, {"leaky", job.leaky},
          {"clips", job.clips.size()}, {"kernels", cpu_kernels()}, {"precisions", rows}};
}

}  // namespace serene::cli
