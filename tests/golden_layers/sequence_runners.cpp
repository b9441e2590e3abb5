// Recurrent layers, attention and attentive pooling against the reference vectors.
#include <string>
#include <vector>

#include "golden_layer.h"
#include "serene/nn/attention.h"
#include "serene/nn/attention_pooling.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/gru.h"
#include "serene/nn/lstm.h"
#include "serene/nn/multi_head_attention.h"

namespace serene::golden {
namespace {

void require(const GoldenCase& c, bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorCode::input, "golden case " + c.name, what);
}

// What the layers here cannot vary is checked, so that a case that asks for something else fails by name.
RecurrentOptions recurrent_options(const GoldenCase& c, const std::string& gate_order) {
  require(c, c.text("gate_order") == gate_order, "unknown gate order");
  require(c, c.text("activation") == "tanh" && c.text("recurrent_activation") == "sigmoid", "unknown activations");
  require(c, !c.hyper.contains("reset_after") || c.boolean("reset_after"), "reset_after must be true");
  require(c, !c.hyper.contains("merge_mode") || c.text("merge_mode") == "concat", "unknown merge mode");
  RecurrentOptions options{.units = c.integer("units"), .return_sequences = c.boolean("return_sequences")};
  const Json& output = c.hyper.at("masked_output");
  require(c, output.is_null() || output == "zero" || output == "carry", "unknown masked output");
  if (output == "carry") options.masked_output = MaskedOutput::carry;
  if (c.hyper.contains("go_backwards")) options.go_backwards = c.boolean("go_backwards");
  return options;
}

// The states that a case gives (in.h0, in.c0) and asks for (out.h, out.c), with all their gradients.
template <class S>
void run_lstm_states(const Lstm<S>& layer, const GoldenCase& c, GoldenCheck<S>& check) {
  const Shape in = c.shape("in.x");
  LayerRunner<S> run(layer, in, Mode::training);
  run.poison();
  copy_to(c.get<S>("in.x"), run.x.data(), run.x.size(), c.name + ": in.x");
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    const std::string name = "param." + run.specs()[i].name;
    copy_to(c.get<S>(name), run.parameter(i), run.specs()[i].size(), c.name + ": " + name);
  }
  const Index states = in.batch * layer.options().units;
  const auto optional = [&](const std::string& name) {
    return c.has(name) ? c.get<S>(name) : std::vector<S>(static_cast<std::size_t>(states));
  };
  const std::vector<S> h0 = optional("in.h0"), c0 = optional("in.c0");
  std::vector<S> h(h0.size()), cell(h0.size()), dh0(h0.size()), dc0(h0.size());
  run.prepare();
  std::vector<Index> lengths = c.lengths();
  const Index* masks = lengths.empty() ? nullptr : lengths.data();
  const SeqView<const S> x{run.x.data(), in, masks};
  layer.forward_from(run.const_params(), x, {run.y.data(), run.plan().out, masks}, run.frame, {h0.data(), c0.data()},
                     {h.data(), cell.data()});
  check.equal("out.y", run.y.data(), run.y.size());
  check.equal("out.h", h.data(), states);
  check.equal("out.c", cell.data(), states);

  copy_to(c.get<S>("grad_out.y"), run.dy.data(), run.dy.size(), c.name + ": grad_out.y");
  const std::vector<S> dh = optional("grad_out.h"), dc = optional("grad_out.c");
  std::vector<Index> offsets;
  for (std::size_t i = 0; i < run.specs().size(); ++i) offsets.push_back(run.gradient(i) - run.grads.data());
  run.poison_scratch();
  layer.backward_from(x, {run.y.data(), run.plan().out, masks}, {run.dy.data(), run.plan().out, masks},
                      {run.dx.data(), in, masks}, run.frame, {run.grads.data(), offsets.data()}, {dh.data(), dc.data()},
                      {dh0.data(), dc0.data()});
  check.equal("grad_in.x", run.dx.data(), run.dx.size());
  if (c.has("grad_in.h0")) check.equal("grad_in.h0", dh0.data(), states);
  if (c.has("grad_in.c0")) check.equal("grad_in.c0", dc0.data(), states);
  for (std::size_t i = 0; i < run.specs().size(); ++i)
    check.equal("grad_param." + run.specs()[i].name, run.gradient(i), run.specs()[i].size());
}

template <class S>
void run_lstm(const GoldenCase& c, GoldenCheck<S>& check) {
  const Lstm<S> layer(c.shape("in.x").channels, recurrent_options(c, "i,f,c,o"));
  if (c.hyper.contains("return_state") && c.boolean("return_state")) run_lstm_states(layer, c, check);
  else run_layer_case<S>(layer, c, check, c.boolean("masked"));
}

template <class S>
void run_gru(const GoldenCase& c, GoldenCheck<S>& check) {
  const Gru<S> layer(c.shape("in.x").channels, recurrent_options(c, "z,r,h"));
  run_layer_case<S>(layer, c, check, c.boolean("masked"));
}

template <class S>
void run_bilstm(const GoldenCase& c, GoldenCheck<S>& check) {
  const auto layer = make_bidirectional<S, Lstm>(c.shape("in.x").channels, recurrent_options(c, "i,f,c,o"));
  run_layer_case<S>(*layer, c, check, c.boolean("masked"));
}

template <class S>
void run_bigru(const GoldenCase& c, GoldenCheck<S>& check) {
  const auto layer = make_bidirectional<S, Gru>(c.shape("in.x").channels, recurrent_options(c, "z,r,h"));
  run_layer_case<S>(*layer, c, check, c.boolean("masked"));
}

// A forward pass over the case's x and parameters alone, to look at what it saved.
template <class S>
LayerRunner<S> forward_of(const Layer<S>& layer, const GoldenCase& c, bool masked) {
  LayerRunner<S> run(layer, c.shape("in.x"), Mode::training, masked ? c.lengths() : std::vector<Index>{});
  copy_to(c.get<S>("in.x"), run.x.data(), run.x.size(), c.name + ": in.x");
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    const std::string name = "param." + run.specs()[i].name;
    copy_to(c.get<S>(name), run.parameter(i), run.specs()[i].size(), c.name + ": " + name);
  }
  run.poison();
  run.forward();
  return run;
}

template <class S>
void run_self_attention(const GoldenCase& c, GoldenCheck<S>& check) {
  require(c, c.text("scale") == "1/sqrt(C)", "unknown scale");
  const bool masked = c.boolean("key_mask");
  const SelfAttention<S> layer({.mask_queries = c.boolean("query_rows_zeroed")});
  run_layer_case<S>(layer, c, check, masked);
  // The reference keeps the weights of padded queries, also where it zeroes their rows of y.
  const SelfAttention<S> all_queries({.mask_queries = false});
  const LayerRunner<S> run = forward_of<S>(all_queries, c, masked);
  const Shape in = run.in();
  check.equal("out.weights", SelfAttention<S>::weights(run.frame, in, 0), in.batch * in.time * in.time);
}

template <class S>
void run_multi_head_attention(const GoldenCase& c, GoldenCheck<S>& check) {
  const bool masked = c.boolean("key_mask");
  const Index heads = c.integer("num_heads");
  const MultiHeadAttention<S> layer(c.shape("in.x").channels, {.heads = heads,
                                                               .key_dim = c.integer("key_dim"),
                                                               .use_bias = c.boolean("use_bias"),
                                                               .mask_queries = c.hyper.contains("query_rows_zeroed") &&
                                                                               c.boolean("query_rows_zeroed")});
  run_layer_case<S>(layer, c, check, masked);
  const LayerRunner<S> run = forward_of<S>(layer, c, masked);
  const Shape in = run.in();
  check.equal("out.weights", layer.weights(run.frame, in, 0, 0), in.batch * heads * in.time * in.time);
}

template <class S, template <class> class Pooling>
void run_pooling(const GoldenCase& c, GoldenCheck<S>& check) {
  require(c, !c.hyper.contains("var_clamp") || c.number("var_clamp") == 1e-12, "unknown floor of the variance");
  const Pooling<S> layer(c.shape("in.x").channels, c.integer("attention_units"));
  run_layer_case<S>(layer, c, check, c.boolean("masked"));
  const LayerRunner<S> run = forward_of<S>(layer, c, c.boolean("masked"));
  check.equal("out.weights", layer.weights(run.frame), run.in().batch * run.in().time);
}

const RegisterRunner kRunners[] = {
    {"LSTM", run_lstm<double>, run_lstm<float>},
    {"GRU", run_gru<double>, run_gru<float>},
    {"BiLSTM", run_bilstm<double>, run_bilstm<float>},
    {"BiGRU", run_bigru<double>, run_bigru<float>},
    {"SelfAttention", run_self_attention<double>, run_self_attention<float>},
    {"MultiHeadAttention", run_multi_head_attention<double>, run_multi_head_attention<float>},
    {"AdditiveAttentionPooling", run_pooling<double, AdditiveAttentionPooling>,
     run_pooling<float, AdditiveAttentionPooling>},
    {"AttentiveStatisticsPooling", run_pooling<double, AttentiveStatisticsPooling>,
     run_pooling<float, AttentiveStatisticsPooling>},
};

}  // namespace
}  // namespace serene::golden
