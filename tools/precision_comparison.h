// What a smaller number format costs and gains on a test: for `serene inspect --compare`.
#pragma once

#include <string>
#include <vector>

#include "evaluation_job.h"
#include "serene/core/json.h"
#include "serene/eval/bootstrap.h"

namespace serene::cli {

// One format beside full precision, on the same clips.
struct PrecisionFigures {
  Precision precision = Precision::full;
  std::size_t packed_bytes = 0;
  double uar = 0, accuracy = 0;
  Interval uar_lost;                                   // UAR of full minus UAR of this one: paired, over speakers
  double same_answer = 1;                              // share of clips with the label that full precision gives
  double largest_difference = 0, mean_difference = 0;  // of a probability, over all clips and labels
  double ms_a_clip = 0;     // median over the clips, one at a time, one thread, the features at hand
  bool accelerated = true;  // the processor has instructions for it
};

// full, bf16 and int8 in this order.
std::vector<PrecisionFigures> compare_precisions(const EvaluationJob& job, ThreadPool& pool);
std::string comparison_table(const EvaluationJob& job, const std::vector<PrecisionFigures>& figures);
Json comparison_json(const EvaluationJob& job, const std::vector<PrecisionFigures>& figures);

}  // namespace serene::cli
