// serene import: a model of weights that another program trained.
#include <cmath>
#include <filesystem>

#include "command.h"
#include "keras_reader.h"
#include "serene/audio/feature_config.h"
#include "serene/io/checkpoint_parts.h"
#include "serene/io/file.h"
#include "serene/io/keras_names.h"
#include "serene/io/npy.h"
#include "serene/io/torch_names.h"
#include "serene/nn/model_builder.h"
#include "serene/train/experiment.h"
#include "serene/version.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') parts.emplace_back();
    else parts.back() += c;
  }
  return parts;
}

// What --labels says, else the config, else the file itself, as `serene export` left it there.
std::vector<std::string> labels_of(const Arguments& args, const RunConfig& config, const SafeTensors& file) {
  if (args.has("labels")) return split_at_commas(args.get<std::string>("labels"));
  if (!config.labels.empty()) return config.labels;
  const auto found = file.metadata().find("labels");
  if (found == file.metadata().end())
    throw Error(ErrorCode::usage, "--labels", "is needed: the classes in their order");
  const Json list = parse_json(found->second, "labels");
  const Json object{{"labels", list}};
  return JsonReader(object, "").texts("labels");
}

// (2, F): mean and standard deviation of each feature, such as np.stack([scaler.mean_, scaler.scale_]).
Normalizer read_normalizer(const std::string& path, Index features) {
  const NpyArray<double> array = read_npy<double>(path);
  if (array.shape != std::vector<Index>{2, features}) {
    throw Error(ErrorCode::input, printable(path, 500), "wrong shape")
        .expected("(2, " + std::to_string(features) + "): means, then standard deviations")
        .got(Json(array.shape).dump());
  }
  Normalizer n;
  const auto size = static_cast<std::size_t>(features);
  for (std::size_t i = 0; i < size; ++i) {
    const double deviation = array.values[size + i];
    const auto scale = static_cast<float>(1 / deviation);
    if (!(deviation > 0) || !std::isfinite(scale) || !(scale > 0)) {
      throw Error(ErrorCode::input, printable(path, 500), "a standard deviation that is not above 0")
          .got(std::to_string(deviation));
    }
    n.mean.push_back(static_cast<float>(array.values[i]));
    n.scale.push_back(scale);
  }
  return n;
}

// Normaliser and temperature: those of --normalizer, or what `serene export` wrote beside the weights.
void take_texts(const SafeTensors& file, Checkpoint& c) {
  const auto text = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  if (const std::string normalizer = text("normalizer"); !normalizer.empty() && normalizer != "none") {
    const Json json = parse_json(normalizer, "normalizer");
    JsonReader reader(json, "normalizer");
    c.normalizer = normalizer_from_json(reader);
    if (c.normalizer.dim() != c.input_channels) throw Error(ErrorCode::input, "normalizer", "not that of the features");
  }
  if (const std::string temperature = text("temperature"); !temperature.empty()) {
    const Json json{{"temperature", parse_json(temperature, "temperature")}};
    c.temperature = JsonReader(json, "").number_in("temperature", 1e-3, 1e3, 1);
  }
}

Checkpoint empty_model(const RunConfig& config, std::vector<std::string> labels) {
  const FeatureConfig features = feature_config_of(config);
  Checkpoint c;
  c.model = config.model;
  c.features = to_json(features);
  c.input_channels = dimension(features);
  check_labels(labels, "--labels");
  c.labels = std::move(labels);
  c.max_frames = config.data.max_frames;
  c.long_clips = config.data.long_clips;
  c.views = config.data.views;
  return c;
}

Checkpoint import_model(const Arguments& args, const RunConfig& config, const std::string& config_path) {
  const bool keras = args.has("keras");
  const std::string path = args.get<std::string>(keras ? "keras" : "pytorch");
  const SafeTensors file = keras ? read_keras_file(path) : read_safetensors(path);
  Checkpoint c = with_context(path, [&] { return empty_model(config, labels_of(args, config, file)); });
  const Model<float> model = with_context(config_path, [&] { return build_model_of(c); });
  with_context(path, [&] {
    c.params = keras ? params_from_keras(file, model) : params_from_torch(file, model);
    take_texts(file, c);
  });
  if (args.has("normalizer")) c.normalizer = read_normalizer(args.get<std::string>("normalizer"), c.input_channels);
  c.notes = {{"name", config.name},
             {"version", SERENE_VERSION},
             {"imported_from", keras ? "Keras" : "PyTorch"},
             {"source", fs::path(path).filename().string()},
             {"source_sha256", sha256_file(path)}};
  return c;
}

}  // namespace

int import_command(int argc, char** argv) {
  Arguments args("import",
                 "Make a model of weights that another program trained. Layers and features are those of a config of "
                 "serene; the weights go onto them by name and shape, every one exactly once.",
                 "--config CONFIG.json --out FILE");
  args.add()("keras", "Weights that Keras wrote: .h5, .weights.h5 or .keras", cxxopts::value<std::string>(), "FILE")(
      "pytorch", "Weights by PyTorch's names, as serene export --pytorch writes them", cxxopts::value<std::string>(),
      "FILE")("config", "Layers and features", cxxopts::value<std::string>(), "FILE")(
      "set", "Set a key of the config; may be repeated", cxxopts::value<std::vector<std::string>>(), "KEY=VALUE")(
      "labels", "The classes in the order of the last layer, such as calm,angry,sad", cxxopts::value<std::string>(),
      "LIST")("normalizer", "Mean and standard deviation of each feature, (2, F)", cxxopts::value<std::string>(),
              "FILE.npy")("o,out", "The model to write", cxxopts::value<std::string>(), "FILE");
  args.example(
      "serene import --keras model.keras --config configs/model_strong.json --labels angry,calm --normalizer "
      "scaler.npy -o model.safetensors");
  if (!args.parse(argc, argv)) return 0;
  if (!args.positional().empty()) {
    throw Error(ErrorCode::usage, "serene import", "takes options alone").got(printable(args.positional()[0]));
  }
  if (args.has("keras") == args.has("pytorch"))
    throw Error(ErrorCode::usage, "serene import", "--keras FILE or --pytorch FILE is needed");
  for (const char* needed : {"config", "out"}) {
    if (!args.has(needed)) throw Error(ErrorCode::usage, std::string("--") + needed, "is needed");
  }
  const std::string config_path = args.get<std::string>("config"), out = args.get<std::string>("out");
  const RunConfig config = open_config(
      config_path, args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{});
  const Checkpoint c = import_model(args, config, config_path);
  if (c.normalizer.mean.empty()) remark("no normaliser: features go into the model as they are");
  write_checkpoint(out, c);
  print("model " + out + ": " + std::to_string(c.labels.size()) + " classes, " + std::to_string(c.input_channels) +
        " features a frame\n");
  return 0;
}

}  // namespace serene::cli
