// A trained model as a file of ONNX, with the operators of set 17, for any runtime.
//
//   features (batch, frames, F) float32  ->  probabilities (batch, classes), or logits
//
// batch and frames are dynamic. The graph is the folded one (nn/fold.h): no dropout, batch norms inside the layers next
// to them where that changes nothing. Temperature and softmax are part of it; of an ensemble also its mean. What is
// not part of it: features from sound, windows of long clips (max_frames), the threshold of "uncertain", and masks: all
// clips of a batch have the same number of frames.
//
// Metadata: model_texts.h, with normalizer "in the graph" where it is, and output.
#pragma once

#include <string>

#include "serene/io/ensemble.h"

namespace serene {

struct OnnxOptions {
  bool normalizer = false;  // the standardisation becomes part of the graph
  bool logits = false;      // raw answers of the last layer, without temperature and softmax
};

// The bytes of the file. Throws Error(usage) for an ensemble whose members do not hear the same features, whose
// normalisers differ and are not wanted in the graph, or whose logits are asked for.
std::string onnx_file(const Ensemble& ensemble, const OnnxOptions& options = {});

}  // namespace serene
