#include "serene/train/corpus_labels.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>

namespace serene {

CorpusLabels::CorpusLabels(const Dataset& dataset, LabelSets label_sets) : masked_(label_sets == LabelSets::masked) {
  const std::size_t classes = dataset.label_names().size();
  if (!masked_) {
    sets_.assign(1, std::vector<std::uint8_t>(classes, 1));
    return;
  }
  const auto& clips = dataset.features().manifest.clips;
  std::map<std::string, std::vector<std::uint8_t>> labels_of;
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    auto& labels = labels_of[clips[i].corpus];
    labels.resize(classes);
    labels[static_cast<std::size_t>(dataset.label(i))] = 1;
  }
  std::map<std::string, std::size_t> set_of_corpus;
  for (const auto& [corpus, labels] : labels_of) {
    const auto same = std::find(sets_.begin(), sets_.end(), labels);
    set_of_corpus[corpus] = static_cast<std::size_t>(same - sets_.begin());
    if (same == sets_.end()) sets_.push_back(labels);
  }
  set_of_clip_.reserve(dataset.size());
  for (const Clip& clip : clips) set_of_clip_.push_back(set_of_corpus.at(clip.corpus));
}

void restrict_to_corpus(std::span<Prediction> predictions, std::span<const std::size_t> clips,
                        const CorpusLabels& labels) {
  if (!labels.masked()) return;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    auto& logits = predictions[i].logits;
    const auto allowed = labels.allowed(clips[i]);
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < logits.size(); ++k) {
      if (allowed[k] != 0) lowest = std::min(lowest, static_cast<double>(logits[k]));
    }
    for (std::size_t k = 0; k < logits.size(); ++k) {
      if (allowed[k] == 0) logits[k] = lowest - 1000;
    }
  }
}

}  // namespace serene
