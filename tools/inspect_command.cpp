// serene inspect: what a model or config is made of.
#include "command.h"
#include "inspect.h"
#include "precision_comparison.h"
#include "serene/audio/feature_config.h"
#include "serene/eval/text_table.h"
#include "serene/io/ensemble.h"
#include "serene/nn/executor.h"
#include "serene/nn/model_builder.h"
#include "training.h"

namespace serene::cli {
namespace {

constexpr Index kDefaultFrames = 300;

Index parameters_of(const Model<float>& model, Index layer) {
  Index n = 0;
  for (const ParameterEntry& e : model.layout().entries) n += e.layer == layer ? e.spec.size() : 0;
  return n;
}

std::string shape_text(const Shape& s) {
  return s.time == 1 ? std::to_string(s.channels) : std::to_string(s.time) + " x " + std::to_string(s.channels);
}

std::string millions(double n) { return fixed(n * 1e-6, 3); }

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1048576; }

std::size_t inference_bytes(const Model<float>& model, Index frames) {
  ThreadPool one(1);
  return Executor<float>(model, {.max_time = frames}, one).bytes();
}

std::size_t training_bytes(const Model<float>& model, Index frames, Index batch) {
  ThreadPool one(1);
  return Executor<float>(model, {.mode = Mode::training, .max_batch = batch, .max_time = frames}, one).bytes();
}

std::string describe_checkpoint(const Checkpoint& c) {
  std::string text;
  for (const auto& [key, value] : c.notes) text += pad_right(key, 16) + printable(value, 200) + "\n";
  std::string labels;
  for (const std::string& label : c.labels) labels += (labels.empty() ? "" : ", ") + printable(label, 40);
  text += pad_right("labels", 16) + labels + "\n";
  text += pad_right("features", 16) + printable(c.features.dump(), 400) + "\n";
  text += pad_right("temperature", 16) + fixed(c.temperature, 4) + "\n";
  if (c.max_frames > 0) {
    text += pad_right("longest clip", 16) + std::to_string(c.max_frames) + " frames, " + to_string(c.long_clips) + "\n";
  }
  if (!c.views.plain()) text += pad_right("views", 16) + to_json(c.views).dump() + "\n";
  if (c.uncertain_below > 0) text += pad_right("uncertain below", 16) + fixed(c.uncertain_below, 4) + "\n";
  if (c.per_speaker) text += pad_right("standardised", 16) + "per speaker\n";
  text += pad_right("examples", 16) + std::to_string(c.examples.size()) + " replayed\n";
  return text;
}

std::string describe_ensemble(const Ensemble& e) {
  std::string text = pad_right("ensemble", 16) + std::to_string(e.members.size()) + " models\n";
  for (const auto& [key, value] : e.notes) text += pad_right(key, 16) + printable(value, 200) + "\n";
  text += pad_right("temperature", 16) + fixed(e.temperature, 4) + "\n";
  if (e.uncertain_below > 0) text += pad_right("uncertain below", 16) + fixed(e.uncertain_below, 4) + "\n";
  return text;
}

Json checkpoint_to_json(const Checkpoint& c, Index frames) {
  Json json = model_to_json(build_model_of(c), frames);
  json["labels"] = c.labels, json["features"] = c.features, json["temperature"] = c.temperature;
  json["max_frames"] = c.max_frames, json["long_clips"] = to_string(c.long_clips);
  json["views"] = to_json(c.views);
  json["uncertain_below"] = c.uncertain_below, json["per_speaker"] = c.per_speaker;
  json["notes"] = c.notes;
  return json;
}

void inspect_model(const std::string& path, Index frames, bool as_json) {
  const Ensemble e = read_model(path);
  if (e.single()) {
    const Checkpoint& c = e.members.front();
    return print(as_json ? checkpoint_to_json(c, frames).dump(2) + "\n"
                         : describe_checkpoint(c) + "\n" + describe_model(build_model_of(c), frames));
  }
  Json json{{"labels", e.labels},
            {"temperature", e.temperature},
            {"uncertain_below", e.uncertain_below},
            {"notes", e.notes},
            {"members", Json::array()}};
  std::string text = describe_ensemble(e);
  for (std::size_t i = 0; i < e.members.size(); ++i) {
    const Checkpoint& c = e.members[i];
    json["members"].push_back(checkpoint_to_json(c, frames));
    json["members"].back()["weight"] = e.weights[i];
    text += "\nmember " + std::to_string(i) + ", weight " + fixed(e.weights[i], 4) + "\n" + describe_checkpoint(c) +
            "\n" + describe_model(build_model_of(c), frames);
  }
  print(as_json ? json.dump(2) + "\n" : text);
}

// What the model hears; features from outside are read, for their channels are known to their file alone.
FeatureConfig features_of(const RunConfig& config, const Arguments& args) {
  if (config.data.features.empty()) return feature_config_of(config);
  ThreadPool pool(args.threads());
  return load_corpus_features(config, args.data(), args.cache(), pool).config;
}

}  // namespace

std::string describe_model(const Model<float>& model, Index frames) {
  TextTable table({"#", "layer", "type", "settings", "output", "parameters", "M mult-adds"});
  Shape in{1, frames, model.input_channels()};
  const auto shapes = model.shapes(in);
  double work = 0;
  for (Index i = 0; i < model.layer_count(); ++i) {
    const double madds = model.layer(i).multiply_adds(in);
    work += madds;
    in = shapes[static_cast<std::size_t>(i)];
    table.row({std::to_string(i + 1), model.name(i), model.layer(i).type(), model.layer(i).summary(), shape_text(in),
               std::to_string(parameters_of(model, i)), millions(madds)});
  }
  std::string text = "input " + shape_text({1, frames, model.input_channels()}) + "\n" + table.str();
  text += "\nparameters " + std::to_string(model.parameter_count()) + " (" + std::to_string(model.trainable_count()) +
          " trainable), " + fixed(megabytes(static_cast<std::size_t>(model.parameter_count()) * sizeof(float)), 2) +
          " MiB\n";
  text += "work       " + millions(work) + " M multiply-adds a clip of " + std::to_string(frames) + " frames\n";
  text += "memory     " + fixed(megabytes(inference_bytes(model, frames)), 2) + " MiB to recognise one clip, " +
          fixed(megabytes(training_bytes(model, frames, 64)), 1) + " MiB to train batches of 64\n";
  return text;
}

Json model_to_json(const Model<float>& model, Index frames) {
  Shape in{1, frames, model.input_channels()};
  const auto shapes = model.shapes(in);
  Json layers = Json::array();
  double work = 0;
  for (Index i = 0; i < model.layer_count(); ++i) {
    const double madds = model.layer(i).multiply_adds(in);
    work += madds;
    in = shapes[static_cast<std::size_t>(i)];
    layers.push_back({{"name", model.name(i)},
                      {"type", model.layer(i).type()},
                      {"settings", model.layer(i).summary()},
                      {"time", in.time},
                      {"channels", in.channels},
                      {"parameters", parameters_of(model, i)},
                      {"multiply_adds", madds}});
  }
  return {{"frames", frames},
          {"input_channels", model.input_channels()},
          {"layers", layers},
          {"parameters", model.parameter_count()},
          {"trainable", model.trainable_count()},
          {"multiply_adds", work},
          {"inference_bytes", inference_bytes(model, frames)},
          {"training_bytes_batch_64", training_bytes(model, frames, 64)}};
}

int inspect_command(int argc, char** argv) {
  Arguments args("inspect", "Show a model's or config's layers, shapes, parameters, memory and work.",
                 "MODEL.safetensors|RUN|CONFIG.json");
  args.add()("frames", "Frames of the clip that shapes, work and memory are shown for",
             cxxopts::value<long>()->default_value(std::to_string(kDefaultFrames)),
             "N")("classes", "Number of labels, for a config that does not name them",
                  cxxopts::value<long>()->default_value("8"), "N")("json", "JSON instead of tables")(
      "compare", "Compare precisions (full, bf16, int8) on the run's test part, or on --corpus or --manifest");
  add_job_options(args);
  args.add_common();
  args.example("serene inspect configs/model_strong.json");
  args.example("serene inspect runs/first/best.safetensors --json");
  args.example("serene inspect --compare runs/first");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (files.size() != 1)
    throw Error(ErrorCode::usage, "serene inspect", "one model or config is needed").hint("see serene inspect --help");
  if (args.has("compare")) {
    ThreadPool pool(args.threads());
    const EvaluationJob job = open_job(files[0], args, pool);
    const auto figures = compare_precisions(job, pool);
    print(args.has("json") ? comparison_json(job, figures).dump(2) + "\n" : comparison_table(job, figures));
    return 0;
  }
  const Index frames = args.get<long>("frames"), classes = args.get<long>("classes");
  if (frames < 1 || frames > 1000000)
    throw Error(ErrorCode::usage, "--frames", "out of range").expected("1..1000000").got(std::to_string(frames));
  if (classes < 2 || classes > 65536)
    throw Error(ErrorCode::usage, "--classes", "out of range").expected("2..65536").got(std::to_string(classes));
  const std::string path = model_file(files[0]);
  if (path.ends_with(".json")) {
    const RunConfig config = open_config(path);
    const Index labels = config.labels.empty() ? classes : static_cast<Index>(config.labels.size());
    const FeatureConfig heard = features_of(config, args);
    const auto model = with_context(path, [&] { return build_model<float>(config.model, dimension(heard), labels); });
    const Json features = to_json(heard);
    if (args.has("json")) {
      Json json = model_to_json(model, frames);
      json["features"] = features;
      print(json.dump(2) + "\n");
    } else {
      print("features " + features.dump() + "\n" + describe_model(model, frames));
    }
    return 0;
  }
  inspect_model(path, frames, args.has("json"));
  return 0;
}

}  // namespace serene::cli
