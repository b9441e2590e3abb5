#include "serene/train/run_config.h"

#include <algorithm>
#include <filesystem>

#include "serene/nn/inference_model.h"

namespace serene {

namespace {

constexpr std::int64_t most = 1000000000;
constexpr std::int64_t largest_seed = std::int64_t{1} << 53;  // exact in every JSON reader

// The section `key`, or an empty one when it is absent.
JsonReader section(JsonReader& r, const std::string& key) {
  static const Json empty = Json::object();
  if (r.has(key)) return r.object(key);
  return JsonReader(empty, r.path_of(key));
}

const std::vector<std::string> balances = {"none", "class", "corpus", "class_and_corpus"};
const std::vector<std::string> copies_names = {"none", "before_split", "after_split"};

DataConfig data_from_json(JsonReader r) {
  DataConfig c;
  c.manifest = r.text("manifest", "");
  c.features = r.text("features", "");
  c.corpus = r.text("corpus", c.manifest.empty() && c.features.empty() ? c.corpus : "");
  c.root = r.text("root", "");
  c.cache_dir = r.text("cache_dir", "");
  c.votes = r.text("votes", "");
  c.max_frames = r.integer_in("max_frames", 0, most, c.max_frames);
  c.random_crop = r.choice("crop", {"random", "center"}, c.random_crop ? "random" : "center") == "random";
  const std::string long_clips = r.choice("long_clips", {"middle", "vote"}, to_string(c.long_clips));
  c.long_clips = long_clips == "vote" ? LongClips::vote : LongClips::middle;
  c.views = clip_views_from_json(section(r, "views"));
  c.augment = feature_augment_from_json(section(r, "augment"));
  const std::string balance = r.choice("balance", balances, balances[0]);
  c.balance = static_cast<Balance>(std::find(balances.begin(), balances.end(), balance) - balances.begin());
  c.epoch_clips = r.integer_in("epoch_clips", 0, most, c.epoch_clips);
  const std::string copies = r.choice("copies", copies_names, copies_names[0]);
  c.copies = static_cast<Copies>(std::find(copies_names.begin(), copies_names.end(), copies) - copies_names.begin());
  r.finish();
  if (c.corpus.empty() && c.manifest.empty() && c.features.empty())
    throw r.error("corpus", "empty, and there is no manifest either");
  if (!c.corpus.empty() && !c.manifest.empty()) {
    throw r.error("manifest", "stands beside a corpus").hint("set data.corpus to \"\" to use the manifest");
  }
  return c;
}

Json to_json(const DataConfig& c) {
  Json j;
  j["corpus"] = c.corpus;
  j["manifest"] = c.manifest;
  j["root"] = c.root;
  j["cache_dir"] = c.cache_dir;
  j["votes"] = c.votes;
  j["max_frames"] = c.max_frames;
  j["crop"] = c.random_crop ? "random" : "center";
  j["long_clips"] = to_string(c.long_clips);
  j["augment"] = to_json(c.augment);
  j["balance"] = balances[static_cast<std::size_t>(c.balance)];
  j["epoch_clips"] = c.epoch_clips;
  // Without these a config and its checksum stay what they were before the keys were there.
  if (!c.views.plain()) j["views"] = to_json(c.views);
  if (!c.features.empty()) j["features"] = c.features;
  if (c.copies != Copies::none) j["copies"] = copies_names[static_cast<std::size_t>(c.copies)];
  return j;
}

SplitConfig split_from_json(JsonReader r) {
  SplitConfig c;
  c.protocol = r.text("protocol", c.protocol);
  c.fold = r.integer_in("fold", 0, 100000, c.fold);
  c.seed = static_cast<std::uint64_t>(r.integer_in("seed", 0, largest_seed, 0));
  c.folds = r.integer_in("folds", 2, 100000, c.folds);
  c.test_speakers = r.texts("test_speakers");
  c.validation_speakers = r.texts("validation_speakers");
  c.test_fraction = r.number_in("test_fraction", 0, 0.99, c.test_fraction);
  c.validation_fraction = r.number_in("validation_fraction", 0, 0.99, c.validation_fraction);
  c.folds_file = r.text("folds_file", "");
  c.train_corpus = r.text("train_corpus", "");
  c.test_corpus = r.text("test_corpus", "");
  r.finish();
  if (c.protocol.empty()) throw r.error("protocol", "empty");
  return c;
}

Json to_json(const SplitConfig& c) {
  Json j;
  j["protocol"] = c.protocol;
  j["fold"] = c.fold;
  j["seed"] = c.seed;
  j["folds"] = c.folds;
  j["test_speakers"] = c.test_speakers;
  j["validation_speakers"] = c.validation_speakers;
  j["test_fraction"] = c.test_fraction;
  j["validation_fraction"] = c.validation_fraction;
  j["folds_file"] = c.folds_file;
  j["train_corpus"] = c.train_corpus;
  j["test_corpus"] = c.test_corpus;
  return j;
}

void read_class_weights(JsonReader& r, LossConfig& c) {
  if (!r.has("class_weights") || r.raw("class_weights").is_string()) {
    const bool balanced = r.choice("class_weights", {"none", "balanced"}, "none") == "balanced";
    c.class_weights = balanced ? ClassWeights::balanced : ClassWeights::none;
    return;
  }
  c.class_weights = ClassWeights::given;
  c.weights = r.numbers("class_weights");
  double sum = 0;
  for (const double w : c.weights) {
    if (!(w >= 0 && w <= 1e6)) throw r.error("class_weights", "weight out of range").expected("0 to 1e6");
    sum += w;
  }
  if (!(sum > 0)) throw r.error("class_weights", "no weight above 0");
}

LossConfig loss_from_json(JsonReader r) {
  LossConfig c;
  const bool focal = r.choice("type", {"cross_entropy", "focal"}, "cross_entropy") == "focal";
  c.type = focal ? LossType::focal : LossType::cross_entropy;
  c.label_smoothing = r.number_in("label_smoothing", 0, 0.999, c.label_smoothing);
  read_class_weights(r, c);
  c.gamma = r.number_in("gamma", 0, 100, c.gamma);
  c.alpha = r.number_in("alpha", 1e-6, 1e6, c.alpha);
  r.finish();
  return c;
}

Json to_json(const LossConfig& c) {
  Json j;
  j["type"] = c.type == LossType::focal ? "focal" : "cross_entropy";
  j["label_smoothing"] = c.label_smoothing;
  switch (c.class_weights) {
    case ClassWeights::none:
      j["class_weights"] = "none";
      break;
    case ClassWeights::balanced:
      j["class_weights"] = "balanced";
      break;
    case ClassWeights::given:
      j["class_weights"] = c.weights;
      break;
  }
  if (c.type == LossType::focal) {
    j["gamma"] = c.gamma;
    j["alpha"] = c.alpha;
  }
  return j;
}

Precision training_precision(JsonReader& r) {
  const std::string name = r.choice("precision", precision_names(), "full");
  if (name == "int8") {
    throw r.error("precision", "8 bits are too few to train with")
        .expected("full or bf16")
        .hint("int8 is for trained models: serene predict --precision int8");
  }
  return parse_precision(name);
}

TrainConfig train_from_json(JsonReader r) {
  TrainConfig c;
  c.epochs = r.integer_in("epochs", 1, 1000000, c.epochs);
  c.batch_size = r.integer_in("batch_size", 1, 1 << 20, c.batch_size);
  c.shard_size = r.integer_in("shard_size", 1, 1 << 20, c.shard_size);
  c.bucket_by_length = r.boolean("bucket_by_length", c.bucket_by_length);
  c.precision = training_precision(r);
  c.uncertain_share = r.number_in("uncertain_share", 0, 0.9, c.uncertain_share);
  c.select_best_by = monitor_from_string(r.choice("select_best_by", monitor_names(), to_string(c.select_best_by)));
  c.optimizer = optimizer_from_json(section(r, "optimizer"));
  c.schedule = schedule_from_json(section(r, "schedule"));
  c.early_stopping = early_stopping_from_json(section(r, "early_stopping"));
  c.loss = loss_from_json(section(r, "loss"));
  c.averaging = averaging_from_json(section(r, "averaging"));
  c.targets = target_config_from_json(r);
  c.transfer = transfer_config_from_json(r);
  r.finish();
  return c;
}

Json to_json(const TrainConfig& c) {
  Json j;
  j["epochs"] = c.epochs;
  j["batch_size"] = c.batch_size;
  j["shard_size"] = c.shard_size;
  j["bucket_by_length"] = c.bucket_by_length;
  j["precision"] = precision_name(c.precision);
  j["uncertain_share"] = c.uncertain_share;
  j["select_best_by"] = to_string(c.select_best_by);
  j["optimizer"] = to_json(c.optimizer);
  j["schedule"] = to_json(c.schedule);
  j["early_stopping"] = to_json(c.early_stopping);
  j["loss"] = to_json(c.loss);
  j["averaging"] = to_json(c.averaging);
  add_to_json(c.targets, j);
  add_to_json(c.transfer, j);
  return j;
}

Json model_from_json(JsonReader& r) {
  const Json& model = r.raw("model");
  JsonReader m(model, r.path_of("model"));
  const Json& layers = m.raw("layers");
  if (!layers.is_array()) throw m.error("layers", "wrong type").expected("array").got(json_type(layers));
  if (layers.empty()) throw m.error("layers", "no layers");
  m.finish();
  return model;
}

// The item of an array that `part` names by place or by "name".
Json& array_item(Json& array, const std::string& part, const std::string& path) {
  for (Json& item : array) {
    if (item.is_object() && item.contains("name") && item["name"] == part) return item;
  }
  const bool digits = !part.empty() && part.size() <= 9 && part.find_first_not_of("0123456789") == std::string::npos;
  if (digits) {
    const auto place = static_cast<std::size_t>(std::stoul(part));
    if (place < array.size()) return array[place];
  }
  throw Error(ErrorCode::usage, path, "no such item")
      .expected("a name or a place below " + std::to_string(array.size()))
      .got("\"" + printable(part, 60) + "\"");
}

Json value_of(const std::string& text) {
  try {
    return parse_json(text, "");
  } catch (const Error&) {
    return Json(text);
  }
}

// The layers of {"file": F}: a document with "layers", or a run's config with "model".
Json model_file(const std::string& path) {
  Json document = read_json_file(path);
  return with_context(path, [&] {
    JsonReader r(document, "");
    return r.has("model") ? model_from_json(r) : Json{{"layers", r.raw("layers")}};
  });
}

}  // namespace

RunConfig run_config_from_json(const Json& config) {
  JsonReader r(config, "");
  RunConfig c;
  c.name = r.text("name", c.name);
  if (c.name.empty()) throw r.error("name", "empty");
  c.seed = static_cast<std::uint64_t>(r.integer_in("seed", 0, largest_seed, 0));
  c.labels = r.texts("labels");
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    const bool again = std::find(c.labels.begin(), c.labels.begin() + static_cast<Index>(i), c.labels[i]) !=
                       c.labels.begin() + static_cast<Index>(i);
    if (c.labels[i].empty() || again) throw r.error("labels", again ? "the same label twice" : "an empty label");
  }
  c.data = data_from_json(section(r, "data"));
  if (r.has("features")) {
    r.object("features");  // throws when it is not an object
    c.features = r.raw("features");
  }
  const std::string normalize = r.choice("normalize", {"channel", "speaker", "none"}, "channel");
  c.normalize = normalize == "none"      ? Normalize::none
                : normalize == "speaker" ? Normalize::speaker
                                         : Normalize::channel;
  c.split = split_from_json(section(r, "split"));
  c.train = train_from_json(section(r, "train"));
  if (c.train.transfer.init_normalizer && c.normalize != Normalize::channel) {
    throw r.error("train.init_normalizer", "stands beside another way to normalize").expected("normalize channel");
  }
  const std::size_t weights = c.train.loss.weights.size();
  if (weights > 0 && !c.labels.empty() && weights != c.labels.size()) {
    throw r.error("train.loss.class_weights", "not one weight for each label")
        .expected(std::to_string(c.labels.size()))
        .got(std::to_string(weights));
  }
  c.model = model_from_json(r);
  r.finish();
  return c;
}

Json to_json(const RunConfig& c) {
  Json j;
  j["name"] = c.name;
  j["seed"] = c.seed;
  j["labels"] = c.labels;
  j["data"] = to_json(c.data);
  j["features"] = c.features;
  j["normalize"] = c.normalize == Normalize::none ? "none" : c.normalize == Normalize::speaker ? "speaker" : "channel";
  j["split"] = to_json(c.split);
  j["model"] = c.model;
  j["train"] = to_json(c.train);
  return j;
}

void apply_override(Json& config, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ErrorCode::usage, "\"" + printable(assignment, 80) + "\"", "not an assignment")
        .expected("KEY.KEY=VALUE");
  }
  Json* at = &config;
  std::size_t begin = 0;
  while (begin <= equals) {
    const std::size_t end = std::min(assignment.find('.', begin), equals);
    const std::string part = assignment.substr(begin, end - begin);
    const std::string path = printable(assignment.substr(0, end), 120);
    if (part.empty())
      throw Error(ErrorCode::usage, printable(assignment.substr(0, equals), 120), "an empty part in the path");
    if (at->is_array()) {
      at = &array_item(*at, part, path);
    } else if (at->is_object()) {
      if (!at->contains(part)) (*at)[part] = Json::object();
      at = &(*at)[part];
    } else {
      throw Error(ErrorCode::usage, path, "leads through something that is not an object").got(json_type(*at));
    }
    begin = end + 1;
  }
  *at = value_of(assignment.substr(equals + 1));
}

RunConfig load_run_config(const std::string& path, const std::vector<std::string>& overrides) {
  Json config = read_json_file(path);
  return with_context(path, [&] {
    JsonReader root(config, "");
    for (const std::string& assignment : overrides) apply_override(config, assignment);
    if (!config.contains("name")) config["name"] = std::filesystem::path(path).stem().string();
    if (config.contains("model") && config["model"].is_object() && config["model"].contains("file")) {
      JsonReader model = root.object("model");
      const std::string file = model.text("file");
      model.finish();
      config["model"] = model_file((std::filesystem::path(path).parent_path() / file).string());
    }
    return run_config_from_json(config);
  });
}

}  // namespace serene
