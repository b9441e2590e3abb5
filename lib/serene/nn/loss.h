// Losses of classification, from logits z (B,K).
//
//   p = softmax(z);  q = (1 - s) t + s / K with targets t (one-hot or soft) and label smoothing s
//   cross-entropy: l = -sum_k q_k ln p_k
//   focal (Lin et al. 2017): l = -sum_k q_k alpha_k (1 - p_k)^gamma ln p_k     (gamma 0, no alpha: cross-entropy)
//   L = sum_b w_b l_b / divisor, w_b = sum_k t_k class_weight_k; divisor: B (Keras) or sum of w_b (weighted mean)
//   dz_j = w / divisor (g_j - p_j sum_k g_k),  g_k = q_k alpha_k (gamma (1 - p_k)^(gamma-1) p_k ln p_k - (1 -
//   p_k)^gamma)
//
// Masked classes (several label sets under one head): softmax, smoothing and sums run over the classes that a sample's
// mask allows, K is their number, and the others have p = 0 and gradient 0.
//
// All in double through log-sum-exp; no finite logits overflow. Immutable and thread-safe; run() allocates nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct LossOptions {
  enum class Kind { cross_entropy, focal };
  Kind kind = Kind::cross_entropy;
  double label_smoothing = 0;              // 0 <= s < 1
  double gamma = 2;                        // focal alone; >= 0
  std::vector<double> class_weights = {};  // empty: 1 each
  std::vector<double> alpha = {};          // focal alone; empty: 1 each
  bool weighted_mean = false;              // divide by the sum of the weights, not by B
};

// What is right about a batch: labels (B), or soft targets (B,K) whose rows sum to 1. One of the two is not nullptr.
// allowed (B,K): the classes of each sample, not 0 where one may be; nullptr allows all. A row allows at least one
// class, and labels and soft targets lie within it.
template <class S>
struct Targets {
  const Index* labels = nullptr;
  const S* soft = nullptr;
  const std::uint8_t* allowed = nullptr;
};

// Where run() writes; each may be nullptr.
template <class S>
struct LossOutputs {
  double* losses = nullptr;    // (B), l_b: without weight and divisor
  S* probabilities = nullptr;  // (B,K)
  S* gradient = nullptr;       // (B,K), of L with respect to the logits
};

class ClassificationLoss {
 public:
  // Throws Error(usage) for values out of range and vectors that are not of size `classes`.
  ClassificationLoss(LossOptions options, Index classes);

  Index classes() const { return classes_; }
  std::string summary() const;  // "focal, gamma 2, label smoothing 0.1"

  // The divisor of a whole batch, to be given to every shard of it. 0 samples, or weights of 0 alone, give 1.
  template <class S>
  double divisor(Index batch, Targets<S> targets) const noexcept;

  // One shard. Labels must lie in 0..K-1. Returns the shard's part of L: sum of w_b l_b / divisor.
  template <class S>
  double run(Index batch, const S* logits, Targets<S> targets, double divisor, LossOutputs<S> out) const noexcept;

 private:
  template <class S>
  double target(Targets<S> targets, Index b, Index k) const noexcept;
  template <class S>
  double weight(Targets<S> targets, Index b) const noexcept;
  double term(double q, Index k, double log_p, double* g) const noexcept;

  LossOptions options_;
  Index classes_;
};

}  // namespace serene
