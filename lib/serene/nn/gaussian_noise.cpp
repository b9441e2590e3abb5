#include "serene/nn/gaussian_noise.h"

#include <algorithm>
#include <cstdio>

#include "serene/nn/sample_random.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

template <class S>
GaussianNoise<S>::GaussianNoise(double stddev) : stddev_(stddev) {
  if (!(stddev >= 0 && stddev <= 1e6)) {
    throw Error(ErrorCode::usage, "gaussian_noise", "stddev out of range")
        .expected("0..1e6")
        .got(std::to_string(stddev));
  }
}

template <class S>
std::string GaussianNoise<S>::summary() const {
  char text[40];
  std::snprintf(text, sizeof text, "deviation %g", stddev_);
  return text;
}

template <class S>
void GaussianNoise<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b) * x.shape.channels;
    const S* from = x.sample(b);
    S* to = y.sample(b);
    if (f.mode == Mode::training && stddev_ > 0) {
      Random random = sample_random(f, f.key, f.first_sample + b);
      for (Index i = 0; i < n; ++i) to[i] = from[i] + static_cast<S>(stddev_ * random.normal());
    } else {
      std::copy_n(from, n, to);
    }
    zero_frames(y, b, x.length(b));
  }
}

template <class S>
void GaussianNoise<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                SeqView<S> dx, const Frame<S>&, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  for (Index b = 0; b < x.shape.batch; ++b) {
    std::copy_n(dy.sample(b), x.length(b) * x.shape.channels, dx.sample(b));
    zero_frames(dx, b, x.length(b));
  }
}

template class GaussianNoise<float>;
template class GaussianNoise<double>;

}  // namespace serene
