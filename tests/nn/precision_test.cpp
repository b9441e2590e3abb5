// Packed weights, own and shared, and passes in bf16 and int8.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "model_fixture.h"
#include "serene/nn/attention.h"
#include "serene/nn/attention_pooling.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/conv2d.h"
#include "serene/nn/dense.h"
#include "serene/nn/executor.h"
#include "serene/nn/highway.h"
#include "serene/nn/layer_runner.h"
#include "serene/nn/model_builder.h"
#include "serene/nn/multi_head_attention.h"
#include "serene/nn/residual.h"
#include "serene/nn/squeeze_excitation.h"

namespace serene {
namespace {

using test::TestBatch;

const std::vector<Index> kLengths = {17, 9, 13, 0, 1, 17, 5};
const std::vector<Precision> kShort = {Precision::bf16, Precision::int8};

std::string name_of(Precision p) { return p == Precision::full ? "full" : p == Precision::bf16 ? "bf16" : "int8"; }

// Calls test(name, model) for model_strong and the models that hold every layer type.
template <class Test>
void for_models(Test&& test) {
  test(std::string("model_strong"), build_model<float>(test::model_strong_graph(), 40, 8));
  for (const std::string& ending : test::endings())
    test(ending, build_model<float>(test::every_layer_graph(ending), 5, 4));
}

// One layer of every type with products, under a name.
std::vector<std::pair<std::string, LayerPtr<float>>> layers_with_products() {
  const Window same{.size = 5, .padding = Padding::same}, strided{.size = 4, .stride = 2},
      dilated{.size = 3, .dilation = 2, .padding = Padding::causal};
  std::vector<std::pair<std::string, LayerPtr<float>>> all;
  const auto add = [&]<class L>(const char* name, L layer) {
    all.emplace_back(name, std::make_shared<const L>(std::move(layer)));
  };
  add("dense", Dense<float>(24, 37, Activation::tanh));
  add("conv1d", Conv1D<float>(24, 33, same));
  add("conv1d, strided", Conv1D<float>(24, 33, strided));
  add("conv1d, dilated", Conv1D<float>(24, 33, dilated));
  add("conv2d", Conv2D<float>({8, 3}, 6, {{3, 1, 1, Padding::same}, {3, 1, 1, Padding::same}}));
  add("conv2d, strided", Conv2D<float>({6, 4}, 5, {{2, 2}, {3, 2}}));
  add("lstm", Lstm<float>(24, {.units = 20}));
  add("gru", Gru<float>(24, {.units = 20}));
  add("multi_head_attention", MultiHeadAttention<float>(24, {.heads = 2, .key_dim = 10}));
  add("attentive statistics", AttentiveStatisticsPooling<float>(24, 11));
  add("self_attention", SelfAttention<float>());
  add("residual", Residual<float>(24, {{"wide", std::make_shared<const Conv1D<float>>(24, 30, same)}}));
  const RecurrentOptions recurrent{.units = 24};
  add("highway", Highway<float>(24, {{"lstm", std::make_shared<const Lstm<float>>(24, recurrent)}}));
  // As many units as leave none of them so near to zero that rounding carries it over the bend of relu.
  add("squeeze_excitation", SqueezeExcitation<float>(24, 8));
  all.emplace_back("bidirectional", make_bidirectional<float, Lstm>(24, {.units = 12}));
  return all;
}

// sqrt(sum (a - b)^2 / sum b^2)
double distance(const float* a, const float* b, Index n) {
  double difference = 0, size = 1e-30;
  for (Index i = 0; i < n; ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d, size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / size);
}

// Weights as small as those of a trained layer, so that gates do not saturate.
void start(LayerRunner<float>& run) {
  run.randomize(4);
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    for (Index j = 0; j < run.specs()[i].size(); ++j) run.parameter(i)[j] *= 0.4f;
  }
  run.poison();
}

std::vector<float> to_vector(SeqView<const float> v) { return {v.data, v.data + v.shape.size()}; }

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> inferred(const PackedWeights<float>& weights, SeqView<const float> x, int threads = 1,
                            Index shard = 0) {
  ThreadPool pool(threads);
  Executor<float> run(weights, {.max_batch = x.shape.batch, .max_time = x.shape.time, .shard = shard}, pool);
  return to_vector(run.forward(x));
}

// Every packed scalar of a model, as bytes.
std::vector<unsigned char> packed_bytes(const PackedWeights<float>& w) {
  std::vector<unsigned char> all;
  for (Index i = 0; i < w.model().layer_count(); ++i) {
    const auto* first = reinterpret_cast<const unsigned char*>(w.packed(i));
    const Index bytes = w.model().layer(i).packed_weights_size(w.packing()) * static_cast<Index>(sizeof(float));
    all.insert(all.end(), first, first + bytes);
  }
  return all;
}

}  // namespace

TEST_CASE("packed weights: shared ones give the bits of an executor's own, forward and backward") {
  for_models([](const std::string& name, const Model<float>& model) {
    const TestBatch<float> batch(2, 17, model.input_channels(), kLengths);
    const auto params = test::test_params(model, 5);
    const auto dy = test::normal_vector<float>(3, 7 * model.output_channels());
    for (const Precision precision : {Precision::full, Precision::bf16}) {
      ThreadPool pool(2);
      const ExecutorOptions o{
          .mode = Mode::training, .max_batch = 7, .max_time = 17, .shard = 2, .precision = precision};
      Executor<float> own(model, o, pool);
      PackedWeights<float> weights(model, {Mode::training, precision});
      weights.pack(params, pool);
      Executor<float> sharing(weights, o, pool);
      const auto a = to_vector(own.forward(params, batch.view(), 1, 2)),
                 b = to_vector(sharing.forward(batch.view(), 1, 2));
      CHECK_MESSAGE(same_bits(a, b), name << ", " << name_of(precision));
      const auto g = own.backward(dy.data()), h = sharing.backward(dy.data());
      CHECK_MESSAGE(same_bits({g.begin(), g.end()}, {h.begin(), h.end()}), name << ", " << name_of(precision));
      CHECK(own.bytes() == sharing.bytes() + weights.bytes());
      CHECK_THROWS_AS(sharing.forward(params, batch.view()), Error);
      CHECK_THROWS_AS(Executor<float>(weights, {.max_batch = 7, .max_time = 17}, pool), Error);
    }
  });
}

TEST_CASE("packed weights: two executors on two threads only read them") {
  for_models([](const std::string& name, const Model<float>& model) {
    const TestBatch<float> one(2, 17, model.input_channels(), kLengths), two(9, 17, model.input_channels(), kLengths);
    const auto params = test::test_params(model, 5);
    ThreadPool pool(1);
    PackedWeights<float> weights(model, {});
    weights.pack(params, pool);
    const auto before = packed_bytes(weights);
    const auto first = inferred(weights, one.view()), second = inferred(weights, two.view());
    std::vector<float> a, b;
    std::thread other([&] {
      for (int i = 0; i < 5; ++i) a = inferred(weights, one.view());
    });
    for (int i = 0; i < 5; ++i) b = inferred(weights, two.view());
    other.join();
    CHECK_MESSAGE(same_bits(a, first), name);
    CHECK_MESSAGE(same_bits(b, second), name);
    CHECK_MESSAGE(packed_bytes(weights) == before, name);
  });
}

TEST_CASE("precision: every layer with products is close to full in bf16 and int8, and not the same") {
  for (const auto& entry : layers_with_products()) {
    const std::string& name = entry.first;
    const LayerPtr<float>& layer = entry.second;
    for (const Precision precision : kShort) {
      LayerRunner<float> full(*layer, {3, 16, 24}, Mode::inference, {16, 9, 3}),
          less(*layer, {3, 16, 24}, Mode::inference, {16, 9, 3});
      less.set_precision(precision);
      for (auto* run : {&full, &less}) {
        start(*run);
        run->forward();
      }
      const double d = distance(less.y.data(), full.y.data(), full.y.size());
      CHECK_MESSAGE((d > 1e-6 && d < 0.02), name << " in " << name_of(precision) << ": " << d);
    }
    LayerRunner<float> full(*layer, {3, 16, 24}, Mode::training, {16, 9, 3}),
        less(*layer, {3, 16, 24}, Mode::training, {16, 9, 3});
    less.set_precision(Precision::bf16);
    for (auto* run : {&full, &less}) {
      start(*run);
      run->forward();
      run->poison_scratch();
      run->backward();
    }
    const double dx = distance(less.dx.data(), full.dx.data(), full.dx.size());
    CHECK_MESSAGE((dx > 1e-6 && dx < 0.02), name << ": gradient of the input " << dx);
    for (std::size_t i = 0; i < full.specs().size(); ++i) {
      const double d = distance(less.gradient(i), full.gradient(i), full.specs()[i].size());
      CHECK_MESSAGE(d < 0.02, name << ": gradient of " << full.specs()[i].name << " " << d);
    }
  }
}

TEST_CASE("precision: in bf16 and int8 a sample has the bits it has alone, for any padding, shard and threads") {
  for_models([](const std::string& name, const Model<float>& model) {
    const Index f = model.input_channels(), k = model.output_channels();
    const TestBatch<float> batch(2, 19, f, kLengths);
    const auto params = test::test_params(model, 5);
    for (const Precision precision : kShort) {
      const std::string what = name + " in " + name_of(precision);
      ThreadPool pool(2);
      PackedWeights<float> weights(model, {Mode::inference, precision});
      weights.pack(params, pool);
      const auto together = inferred(weights, batch.view(), 2);
      CHECK(std::all_of(together.begin(), together.end(), [](float v) { return std::isfinite(v); }));
      for (const Index shard : {1, 3, 7})
        CHECK_MESSAGE(same_bits(together, inferred(weights, batch.view(), 1, shard)), what);
      for (Index b = 0; b < batch.shape.batch; ++b) {
        const Index n = kLengths[static_cast<std::size_t>(b)];
        if (n == 0) continue;
        const auto alone = inferred(weights, {batch.view().sample(b), {1, n, f}, nullptr});
        CHECK_MESSAGE(std::memcmp(alone.data(), together.data() + b * k, alone.size() * sizeof(float)) == 0,
                      what << ", sample " << b);
      }
    }
  });
}

TEST_CASE("precision: the gradient of a model in bf16 points where the full one does, for any padding") {
  for_models([](const std::string& name, const Model<float>& model) {
    const auto params = test::test_params(model, 5);
    const auto dy = test::normal_vector<float>(3, 7 * model.output_channels());
    const auto gradient = [&](Precision precision, Index time) {
      const TestBatch<float> batch(2, time, model.input_channels(), kLengths);
      ThreadPool pool(2);
      Executor<float> run(
          model, {.mode = Mode::training, .max_batch = 7, .max_time = time, .shard = 2, .precision = precision}, pool);
      run.forward(params, batch.view(), 1, 2);
      const auto g = run.backward(dy.data());
      return std::vector<float>(g.begin(), g.end());
    };
    const auto full = gradient(Precision::full, 17), less = gradient(Precision::bf16, 17);
    double dot = 0, a = 0, b = 0;
    for (std::size_t i = 0; i < full.size(); ++i) {
      const double u = static_cast<double>(full[i]), v = static_cast<double>(less[i]);
      dot += u * v, a += u * u, b += v * v;
    }
    const double cosine = dot / std::sqrt(a * b);
    CHECK_MESSAGE(cosine > 0.99, name << ": " << cosine);
    CHECK_FALSE(same_bits(full, less));
    CHECK_MESSAGE(same_bits(less, gradient(Precision::bf16, 24)), name << ": padding");
  });
}

TEST_CASE("precision: training in int8 is refused") {
  const auto model = build_model<float>(test::model_strong_graph(), 40, 8);
  ThreadPool pool(1);
  const ExecutorOptions options{.mode = Mode::training, .max_batch = 2, .max_time = 10, .precision = Precision::int8};
  CHECK_THROWS_WITH_AS(Executor<float>(model, options, pool), doctest::Contains("int8"), Error);
  CHECK_THROWS_AS(PackedWeights<float>(model, {Mode::training, Precision::int8}), Error);
}

}  // namespace serene
