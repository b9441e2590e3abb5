// Decibels, the discrete cosine transform and cepstral coefficients, as librosa.power_to_db and librosa.feature.mfcc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serene/audio/frame_matrix.h"

namespace serene {

// out[i] = 10 log10(max(amin, x[i])); in place is allowed. float: absolute error below 4e-5 dB, vectorised.
template <class S>
void power_to_db_row(const S* x, S* out, Index n, S amin) noexcept;

// librosa.power_to_db: 10 log10(max(amin, x)) - 10 log10(max(amin, ref)), not less than the maximum of the whole matrix
// minus top_db. ref: none means the largest value of x. Throws Error unless amin > 0 and top_db >= 0.
template <class S>
void power_to_db(FrameMatrix<S>& x, std::optional<double> ref = 1.0, double amin = 1e-10,
                 std::optional<double> top_db = 80.0);

// Raises every value to at least the matrix's maximum minus top_db.
template <class S>
void limit_range(FrameMatrix<S>& db, double top_db);

// First `rows` rows of the DCT-II of `size` values (rows, size), row-major. ortho: orthonormal, else 2 cos (scipy's
// norm=None).
std::vector<double> dct2_matrix(Index rows, Index size, bool ortho = true);

// Cepstral coefficients of log-mel frames: DCT-II and lifter (coefficient i times 1 + L/2 sin(pi (i+1) / L); L = 0:
// none). Immutable and thread-safe.
template <class S>
class Cepstrum {
 public:
  // lifter: L, 0: none; ortho: the orthonormal transform. Throws Error(usage) for values out of range.
  Cepstrum(Index n_mels, Index n_mfcc, double lifter = 0, bool ortho = true);
  Index n_mels() const noexcept { return n_mels_; }
  Index n_mfcc() const noexcept { return n_mfcc_; }
  // db (n_mels) -> out (n_mfcc); they must not overlap.
  void apply(const S* db, S* out) const noexcept;

 private:
  Index n_mels_, n_mfcc_;
  std::vector<S> table_;  // (n_mels, n_mfcc): the coefficients of one band side by side
};

// Cepstra (frames, n_mfcc) of log-mel frames (frames, n_mels).
template <class S>
FrameMatrix<S> mfcc_from_db(const FrameMatrix<S>& db, Index n_mfcc, double lifter = 0, bool ortho = true);

extern template class Cepstrum<float>;
extern template class Cepstrum<double>;

}  // namespace serene
