// Which labels each corpus of a merged manifest has: those that occur among its clips. So a clip of CREMA-D says
// nothing about "calm", which nobody was asked to act there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "serene/data/dataset.h"
#include "serene/eval/prediction.h"
#include "serene/train/target_config.h"

namespace serene {

// Immutable, thread-safe to read.
class CorpusLabels {
 public:
  // united: one set with every label.
  CorpusLabels(const Dataset& dataset, LabelSets label_sets);

  bool masked() const noexcept { return masked_; }
  // The clip's set by number, from 0: corpora of equal labels share one.
  std::size_t set_of(std::size_t clip) const noexcept { return masked_ ? set_of_clip_[clip] : 0; }
  // One value a class, not 0 where the clip's corpus has it.
  std::span<const std::uint8_t> allowed(std::size_t clip) const noexcept { return sets_[set_of(clip)]; }

 private:
  bool masked_;
  std::vector<std::vector<std::uint8_t>> sets_;
  std::vector<std::size_t> set_of_clip_;
};

// Takes the labels that a clip's corpus lacks out of the choice: their logits become 1000 below the lowest of the
// others (a probability of 0 at any temperature). predictions[i] is that of clips[i]. Nothing happens unless the labels
// are masked.
void restrict_to_corpus(std::span<Prediction> predictions, std::span<const std::size_t> clips,
                        const CorpusLabels& labels);

}  // namespace serene
