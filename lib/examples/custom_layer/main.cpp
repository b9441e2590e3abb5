// A layer of one's own: written, proved by the gradient check, and used in a model.
//
//   custom_layer
//
// ChannelGain multiplies every channel of every frame by a gain of its own: y = g x. serene/nn/layer.h is the contract.
// A layer is an immutable description; parameters, activations and scratch are arguments, so one object serves any
// number of threads. (Layers come with the static library; libserene.so keeps them to itself.)
#include <serene/nn/dense.h>
#include <serene/nn/executor.h>
#include <serene/nn/gradient_check.h>
#include <serene/nn/init.h>
#include <serene/nn/pooling.h>

#include <cstdio>
#include <memory>
#include <vector>

namespace {

template <class S>
class ChannelGain final : public serene::Layer<S> {
 public:
  explicit ChannelGain(serene::Index channels) : channels_(channels) {}

  std::string type() const override { return "channel_gain"; }
  std::string summary() const override { return std::to_string(channels_) + " gains"; }

  // One tensor, which starts at 1.
  std::vector<serene::ParameterSpec> parameters() const override {
    return {{.name = "gain", .shape = {channels_}, .init = serene::Init::ones, .decay = false}};
  }

  // Says what comes out and refuses what cannot go in, before anything runs.
  serene::Plan plan(serene::Shape in, serene::Mode) const override {
    if (in.channels != channels_) throw serene::Error(serene::ErrorCode::usage, type(), "wrong number of channels");
    return {.out = in};
  }

  void forward(serene::Params<const S> p, serene::SeqView<const S> x, serene::SeqView<S> y,
               const serene::Frame<S>&) const noexcept override {
    each_frame(x, [&](serene::Index b, serene::Index t, bool valid) {
      for (serene::Index c = 0; c < channels_; ++c) y.frame(b, t)[c] = valid ? p[0][c] * x.frame(b, t)[c] : S(0);
    });
  }

  // dg += x dy over all valid frames, dx = g dy. Gradients of parameters are added, that of the input is overwritten.
  void backward(serene::Params<const S> p, serene::SeqView<const S> x, serene::SeqView<const S>,
                serene::SeqView<const S> dy, serene::SeqView<S> dx, const serene::Frame<S>&,
                serene::Params<S> grads) const noexcept override {
    each_frame(x, [&](serene::Index b, serene::Index t, bool valid) {
      for (serene::Index c = 0; c < channels_; ++c) {
        if (valid) grads[0][c] += x.frame(b, t)[c] * dy.frame(b, t)[c];
        if (dx.data != nullptr) dx.frame(b, t)[c] = valid ? p[0][c] * dy.frame(b, t)[c] : S(0);
      }
    });
  }

 private:
  // Frames at and after the length of a sample are padding: they may hold anything and must give zeros.
  template <class F>
  static void each_frame(const serene::SeqView<const S>& x, F&& f) {
    for (serene::Index b = 0; b < x.shape.batch; ++b) {
      for (serene::Index t = 0; t < x.shape.time; ++t) f(b, t, t < x.length(b));
    }
  }

  serene::Index channels_;
};

}  // namespace

int main() {
  // 1. Is backward the derivative of forward? Central differences in double; the second sample has padding.
  const serene::GradientReport report =
      serene::check_layer_gradient(ChannelGain<double>(5), {.batch = 2, .time = 7, .channels = 5}, {7, 4});
  std::printf("gradient check: worst relative error %.1e of %td values, at %s\n", report.worst, report.checked,
              report.worst_at.c_str());
  if (!report.below(1e-6)) return 3;

  // 2. A model is a chain of named layers, ours and serene's.
  const serene::Model<float> model({{"gain", std::make_shared<ChannelGain<float>>(5)},
                                    {"mean", std::make_shared<serene::GlobalPooling1D<float>>(serene::Pool::average)},
                                    {"out", std::make_shared<serene::Dense<float>>(5, 3)}},
                                   5);
  std::vector<float> params(static_cast<std::size_t>(model.layout().size));
  serene::initialize<float>(model.layout(), 1, params.data());

  // 3. Run it over one clip of 20 frames.
  serene::ThreadPool pool(1);
  serene::Executor<float> run(model, {.max_batch = 1, .max_time = 20}, pool);
  std::vector<float> clip(20 * 5, 0.5f);
  const auto logits = run.forward(params, {clip.data(), {.batch = 1, .time = 20, .channels = 5}});
  std::printf("%td parameters, logits %.3f %.3f %.3f\n", model.parameter_count(), logits.data[0], logits.data[1],
              logits.data[2]);
  return 0;
}
