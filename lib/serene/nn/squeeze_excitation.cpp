#include "serene/nn/squeeze_excitation.h"

#include <algorithm>

#include "serene/nn/dense.h"
#include "serene/nn/row_products.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {
namespace {

template <class S>
LayerChain<S> make_excitation(Index channels, Index units) {
  return LayerChain<S>({{"reduce", std::make_shared<Dense<S>>(channels, units, Activation::relu)},
                        {"expand", std::make_shared<Dense<S>>(units, channels, Activation::sigmoid)}},
                       "squeeze_excitation");
}

}  // namespace

// Means and scales, one row a sample; then what the dense layers keep.
template <class S>
struct SqueezeExcitation<S>::Saved {
  Saved(Slices<S>& slices, Shape pooled, const Plan& inner)
      : mean(slices.take(pooled.size())), scale(slices.take(pooled.size())), excite(slices.take(inner.saved)) {}
  S *mean, *scale, *excite;
};

template <class S>
struct SqueezeExcitation<S>::Scratch {
  Scratch(Slices<S>& slices, Shape pooled, const Plan& inner, Mode mode) {
    excite = slices.take(inner.scratch);
    if (mode != Mode::training) return;
    d_scale = slices.take(pooled.size());
    d_mean = slices.take(pooled.size());
  }
  S *excite, *d_scale = nullptr, *d_mean = nullptr;
};

template <class S>
SqueezeExcitation<S>::SqueezeExcitation(Index channels, Index units)
    : channels_(channels), units_(units), squeeze_(Pool::average), excite_(make_excitation<S>(channels, units)) {}

template <class S>
Plan SqueezeExcitation<S>::plan(Shape in, Mode mode) const {
  const Shape pooled{in.batch, 1, in.channels};
  const Plan inner = excite_.plan(pooled, mode);
  Slices<S> saved(nullptr), scratch(nullptr);
  Saved(saved, pooled, inner);
  Scratch(scratch, pooled, inner, mode);
  return {.out = in, .saved = saved.used(), .scratch = scratch.used()};
}

template <class S>
double SqueezeExcitation<S>::multiply_adds(Shape in) const {
  return static_cast<double>(2 * in.time * channels_) + excite_.multiply_adds({1, 1, channels_});
}

template <class S>
void SqueezeExcitation<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y,
                                   const Frame<S>& f) const noexcept {
  const Index channels = channels_;
  const Shape pooled{x.shape.batch, 1, channels};
  const Plan inner = excite_.plan(pooled, f.mode);
  Slices<S> saved(f.saved), scratch(f.scratch);
  const Saved at(saved, pooled, inner);
  const Scratch s(scratch, pooled, inner, f.mode);
  Frame<S> within = f;
  within.saved = at.excite;
  within.scratch = s.excite;
  squeeze_.forward({}, x, {at.mean, pooled, nullptr}, f);
  excite_.forward(p, {at.mean, pooled, nullptr}, {at.scale, pooled, nullptr}, within);
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b);
    wide_loop([scale = at.scale + b * channels, from = x.sample(b), to = y.sample(b), n, channels]() SERENE_WIDE {
      for (Index t = 0; t < n; ++t) {
#pragma GCC ivdep
        for (Index c = 0; c < channels; ++c) to[t * channels + c] = from[t * channels + c] * scale[c];
      }
    });
    zero_frames(y, b, n);
  }
}

template <class S>
void SqueezeExcitation<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                    SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Index channels = channels_;
  const Shape pooled{x.shape.batch, 1, channels};
  const Plan inner = excite_.plan(pooled, f.mode);
  Slices<S> saved(f.saved), scratch(f.scratch);
  const Saved at(saved, pooled, inner);
  const Scratch s(scratch, pooled, inner, f.mode);
  Frame<S> within = f;
  within.saved = at.excite;
  within.scratch = s.excite;
  std::fill_n(s.d_scale, pooled.size(), S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    wide_loop([to = s.d_scale + b * channels, n = x.length(b), channels, from = x.sample(b), d = dy.sample(b)]()
                  SERENE_WIDE { add_row_products(n, channels, from, channels, d, channels, to); });
  }
  const bool wanted = dx.data != nullptr;
  excite_.backward(p, {at.mean, pooled, nullptr}, {at.scale, pooled, nullptr}, {s.d_scale, pooled, nullptr},
                   {wanted ? s.d_mean : nullptr, pooled, nullptr}, within, grads);
  for (Index b = 0; b < x.shape.batch && wanted; ++b) {
    const Index n = x.length(b);
    const S share = n > 0 ? static_cast<S>(1.0 / static_cast<double>(n)) : S(0);
    wide_loop([scale = at.scale + b * channels, d_mean = s.d_mean + b * channels, d = dy.sample(b), to = dx.sample(b),
               share, n, channels]() SERENE_WIDE {
      for (Index t = 0; t < n; ++t) {
#pragma GCC ivdep
        for (Index c = 0; c < channels; ++c) to[t * channels + c] = d[t * channels + c] * scale[c] + d_mean[c] * share;
      }
    });
    zero_frames(dx, b, n);
  }
}

template class SqueezeExcitation<float>;
template class SqueezeExcitation<double>;

}  // namespace serene
