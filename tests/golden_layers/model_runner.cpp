// A whole model against the reference vectors: activations, probabilities, loss, every gradient, moving statistics, and
// the losses along 20 Adam steps. The graph is read from the case's architecture text.
#include <algorithm>
#include <cctype>
#include <sstream>

#include "golden_case.h"
#include "serene/nn/dropout.h"
#include "serene/nn/executor.h"
#include "serene/nn/loss.h"
#include "serene/nn/model_builder.h"
#include "serene/train/optimizer.h"

namespace serene::golden {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) {
    part.erase(0, part.find_first_not_of(' '));
    parts.push_back(part);
  }
  return parts;
}

Json windowed(const std::vector<std::string>& args) {
  return {{"type", "max_pooling1d"},
          {"pool_size", std::stol(args.at(0))},
          {"strides", std::stol(args.at(1))},
          {"padding", args.at(2)}};
}

double last_number(const std::string& text) { return std::stod(text.substr(text.find_last_of(' ') + 1)); }

// "Conv1D(128,k7,same,relu)" and the like. rate: of the dropout layers, whatever the text says.
Json layer_of(const std::string& token, double rate, std::map<std::string, int>& seen) {
  const auto open = token.find('(');
  const std::string kind = token.substr(0, open);
  const auto args = open == std::string::npos ? std::vector<std::string>{}
                                              : split(token.substr(open + 1, token.rfind(')') - open - 1), ',');
  const auto numbered = [&](const std::string& name) { return name + std::to_string(++seen[name]); };
  Json j;
  if (kind == "Conv1D") {
    j = {{"type", "conv1d"},      {"filters", std::stol(args.at(0))}, {"kernel_size", std::stol(args.at(1).substr(1))},
         {"padding", args.at(2)}, {"activation", args.at(3)},         {"name", numbered("conv")}};
  } else if (kind == "MaxPool1D") {
    j = windowed(args);
    j["name"] = numbered("pool");
  } else if (kind == "LSTM") {
    j = {{"type", "lstm"},
         {"units", std::stol(args.at(0))},
         {"return_sequences", args.at(1) == "seq"},
         {"name", numbered("lstm")}};
  } else if (kind == "SelfAttention") {
    j = {{"type", "self_attention"}, {"name", numbered("attn")}};
  } else if (kind == "GlobalAveragePooling1D") {
    j = {{"type", "global_average_pooling1d"}, {"name", "gap"}};
  } else if (kind == "Dense") {  // a softmax belongs to the loss
    const std::string activation = args.size() > 1 && args[1] != "softmax" ? args[1] : "linear";
    j = {{"type", "dense"}, {"units", std::stol(args.at(0))}, {"activation", activation}, {"name", numbered("dense")}};
  } else if (kind == "BatchNorm") {
    j = {{"type", "batch_norm"},
         {"momentum", last_number(args.at(0))},
         {"epsilon", last_number(args.at(1))},
         {"name", "bn"}};
  } else if (kind == "Dropout") {
    j = {{"type", "dropout"}, {"rate", rate}, {"name", "drop"}};
  } else {
    throw Error(ErrorCode::input, "architecture", "unknown layer " + token);
  }
  return j;
}

template <class S>
Model<S> model_of(const GoldenCase& c, double rate) {
  Json layers = Json::array();
  std::map<std::string, int> seen;
  for (const std::string& token : split(c.text("architecture"), '>')) layers.push_back(layer_of(token, rate, seen));
  return build_model<S>(Json{{"layers", layers}}, c.integer("F"), c.integer("classes"));
}

double dropout_rate(const GoldenCase& c) {
  const std::string text = c.text("architecture");
  const auto at = text.find("Dropout(");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + 8));
}

std::string reference_name(std::string name) {
  const std::pair<std::string, std::string> renamed[] = {{"moving_variance", "moving_var"}};
  for (const auto& [ours, theirs] : renamed) {
    const auto at = name.find(ours);
    if (at != std::string::npos) name.replace(at, ours.size(), theirs);
  }
  return name;
}

template <class S>
std::vector<S> params_of(const GoldenCase& c, const Model<S>& model) {
  std::vector<S> p(static_cast<std::size_t>(model.layout().size));
  for (const ParameterEntry& e : model.layout().entries) {
    const auto values = c.get<S>("param." + reference_name(e.name));
    if (static_cast<Index>(values.size()) != e.spec.size()) throw Error(ErrorCode::input, e.name, "wrong size");
    std::copy(values.begin(), values.end(), p.begin() + e.offset);
  }
  return p;
}

// Tolerances that the manifest gives in words for float32; in float64 all use rtol and atol.
template <class S>
struct Limits {
  static constexpr bool in_float = sizeof(S) == 4;
  const GoldenCase& c;
  GoldenCheck<S>& check;

  void close(const std::string& name, const S* got, double float_rtol, double float_atol) {
    const auto& e = c.tensor(name).values;
    for (std::size_t i = 0; i < e.size(); ++i) {
      const double value = static_cast<double>(got[i]);
      if (in_float) check.add(name, static_cast<Index>(i), value, e[i], float_rtol, float_atol);
      else check.add(name, static_cast<Index>(i), value, e[i]);
    }
  }
  // Against the largest value of the tensor, as gradients and activations are judged in float.
  void scaled(const std::string& name, const S* got) {
    double most = 0;
    for (const double v : c.tensor(name).values) most = std::max(most, std::abs(v));
    close(name, got, 0, 1e-4 * most + 1e-6);
  }
  double float_limit(const char* key, double fallback) const { return c.tolerance.at("float32").value(key, fallback); }
};

template <class S>
std::vector<S> softmax(const S* logits, Index rows, Index classes) {
  std::vector<S> p(static_cast<std::size_t>(rows * classes));
  std::vector<Index> labels(static_cast<std::size_t>(rows), 0);
  const ClassificationLoss loss({}, classes);
  loss.run<S>(rows, logits, {.labels = labels.data(), .soft = nullptr}, 1,
              {.losses = nullptr, .probabilities = p.data(), .gradient = nullptr});
  return p;
}

template <class S>
void check_inference(const GoldenCase& c, Limits<S>& limits, const Model<S>& model, const std::vector<S>& params,
                     SeqView<const S> x) {
  ThreadPool pool(2);
  ExecutorOptions o;
  o.max_batch = x.shape.batch, o.max_time = x.shape.time, o.shard = 2, o.keep_activations = true;
  Executor<S> run(model, o, pool);
  const auto logits = run.forward(params, x);
  limits.scaled("eval.out.logits", logits.data);
  const auto p = softmax(logits.data, x.shape.batch, model.output_channels());
  limits.close("eval.out.probs", p.data(), 0, limits.float_limit("probs_atol", 1e-5));
  for (Index i = 0; i < model.layer_count(); ++i) {
    if (c.has("eval.act." + model.name(i))) limits.scaled("eval.act." + model.name(i), run.activation(i).data);
  }
}

template <class S>
Model<S> with_keep_mask(const GoldenCase& c, const Model<S>& model) {
  std::vector<NamedLayer<S>> layers = model.layers();
  for (NamedLayer<S>& l : layers) {
    const auto* dropout = dynamic_cast<const Dropout<S>*>(l.layer.get());
    if (dropout != nullptr) l.layer = std::make_shared<Dropout<S>>(dropout->with_mask(c.get<S>("aux.keep_mask")));
  }
  return Model<S>(std::move(layers), model.input_channels());
}

template <class S>
void check_gradients(const GoldenCase& c, Limits<S>& limits, const Model<S>& plain, std::vector<S> params,
                     SeqView<const S> x) {
  const Model<S> model = with_keep_mask(c, plain);
  ThreadPool pool(2);
  ExecutorOptions o;
  o.mode = Mode::training, o.max_batch = x.shape.batch, o.max_time = x.shape.time, o.shard = 2, o.input_gradient = true;
  Executor<S> run(model, o, pool);
  const auto labels = c.get<Index>("aux.labels");
  const auto logits = run.forward(params, x);
  limits.scaled("train.out.logits", logits.data);
  for (Index i = 0; i < model.layer_count(); ++i) {
    const std::string tensor = "train.act." + (model.name(i) == "drop" ? std::string("dropout") : model.name(i));
    if (c.has(tensor)) limits.scaled(tensor, run.activation(i).data);
  }
  std::vector<S> dlogits(static_cast<std::size_t>(logits.shape.size()));
  const ClassificationLoss loss({}, model.output_channels());
  const Targets<S> targets{.labels = labels.data(), .soft = nullptr};
  const S value =
      static_cast<S>(loss.run<S>(x.shape.batch, logits.data, targets, loss.divisor<S>(x.shape.batch, targets),
                                 {.losses = nullptr, .probabilities = nullptr, .gradient = dlogits.data()}));
  limits.close("train.out.loss", &value, limits.float_limit("loss_rtol", 1e-4), 0);
  const auto grads = run.backward(dlogits.data());
  for (const ParameterEntry& e : model.layout().entries) {
    if (e.spec.trainable) limits.scaled("grad_param." + e.name, grads.data() + e.offset);
  }
  limits.scaled("grad_in.x", run.input_gradient().data);
  run.commit(params);
  for (const ParameterEntry& e : model.layout().entries) {
    if (!e.spec.trainable)
      limits.scaled("train.out." + reference_name(e.name).substr(e.name.find('.') + 1), params.data() + e.offset);
  }
}

template <class S>
void check_adam(const GoldenCase& c, Limits<S>& limits, const Model<S>& model, std::vector<S> params,
                SeqView<const S> x) {
  const Json& hyper = c.hyper.at("adam");
  OptimizerConfig config;
  config.learning_rate = hyper.at("lr").get<double>(), config.beta_1 = hyper.at("beta_1").get<double>();
  config.beta_2 = hyper.at("beta_2").get<double>(), config.epsilon = hyper.at("epsilon").get<double>();
  config.variant = hyper.at("variant") == "torch" ? OptimizerVariant::torch : OptimizerVariant::keras;
  Optimizer<S> adam(config, model.layout());
  ThreadPool pool(2);
  ExecutorOptions o;
  o.mode = Mode::training, o.max_batch = x.shape.batch, o.max_time = x.shape.time, o.shard = 2;
  Executor<S> run(model, o, pool);
  const auto labels = c.get<Index>("aux.labels");
  const Targets<S> targets{.labels = labels.data(), .soft = nullptr};
  const ClassificationLoss loss({}, model.output_channels());
  std::vector<S> dlogits(static_cast<std::size_t>(x.shape.batch * model.output_channels()));
  const auto forward = [&] {
    const auto logits = run.forward(params, x);
    return loss.run<S>(x.shape.batch, logits.data, targets, loss.divisor<S>(x.shape.batch, targets),
                       {.losses = nullptr, .probabilities = nullptr, .gradient = dlogits.data()});
  };
  const std::string losses = limits.in_float ? "adam20.out.loss_f32" : "adam20.out.loss_f64";
  const auto& expected = c.tensor(losses).values;
  const auto compare = [&](const std::string& name, Index t, double got, double want) {
    if (limits.in_float) limits.check.add(name, t, got, want, 2e-2, 2e-3 * expected.front());
    else limits.check.add(name, t, got, want);
  };
  for (std::size_t t = 0; t < expected.size(); ++t) {
    compare(losses, static_cast<Index>(t), forward(), expected[t]);
    const auto grads = run.backward(dlogits.data());
    adam.step(params.data(), grads.data(), config.learning_rate, pool);
    run.commit(params);
  }
  compare("adam20.out.final_train_loss", 0, forward(),
          c.tensor("adam20.out.final_train_loss").values.at(limits.in_float ? 0 : 1));
}

template <class S>
void run_model(const GoldenCase& c, GoldenCheck<S>& check) {
  Limits<S> limits{c, check};
  const Model<S> model = model_of<S>(c, dropout_rate(c));
  if (model.parameter_count() != c.integer("n_params"))
    check.fail("n_params: " + std::to_string(model.parameter_count()));
  const std::vector<S> params = params_of(c, model), input = c.get<S>("in.x");
  const SeqView<const S> x{input.data(), c.shape("in.x"), nullptr};
  check_inference(c, limits, model, params, x);
  check_gradients(c, limits, model, params, x);
  check_adam(c, limits, model_of<S>(c, 0), params, x);
}

const RegisterRunner model("Model", run_model<double>, run_model<float>);

}  // namespace
}  // namespace serene::golden
