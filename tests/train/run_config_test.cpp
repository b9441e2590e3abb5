#include "serene/train/run_config.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "serene/train/experiment.h"

using namespace serene;

namespace {

const char* const minimal = R"({"model": {"layers": [{"type": "dense", "units": "classes", "name": "out"}]}})";

Json minimal_config() { return parse_json(minimal, "minimal"); }

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// The error of the minimal config with these assignments.
std::string message_with(const std::vector<std::string>& assignments) {
  return message_of([&] {
    Json config = minimal_config();
    for (const std::string& a : assignments) apply_override(config, a);
    run_config_from_json(config);
  });
}

bool contains(const std::string& text, const std::string& part) {
  INFO("text: ", text);
  INFO("part: ", part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::string config_file(const std::string& name) { return std::string(SERENE_SOURCE_DIR) + "/configs/" + name; }

}  // namespace

TEST_CASE("run config: a minimal config has the defaults") {
  const RunConfig c = run_config_from_json(minimal_config());
  CHECK(c.data.corpus == "ravdess");
  CHECK(c.features.dump() == R"({"preset":"mfcc-40"})");
  CHECK(c.normalize == Normalize::channel);
  CHECK(c.split.protocol == "holdout");
  CHECK(c.train.epochs == 50);
  CHECK(c.train.batch_size == 64);
  CHECK(c.train.shard_size == 8);
  CHECK(c.train.optimizer.type == OptimizerType::adam);
  CHECK(c.train.optimizer.learning_rate == 1e-3);
  CHECK(c.train.schedule.type == ScheduleType::reduce_on_plateau);
  CHECK(c.train.early_stopping.enabled);
  CHECK(c.train.loss.type == LossType::cross_entropy);
  CHECK(c.train.targets.kind == TargetKind::label);
  CHECK(c.train.targets.label_sets == LabelSets::united);
  CHECK_FALSE(c.train.targets.mixes());
  CHECK(c.train.transfer.init_from.empty());
  CHECK(c.train.transfer.freeze.empty());
}

TEST_CASE("run config: what is written reads back as the same") {
  for (const std::vector<std::string>& assignments : std::vector<std::vector<std::string>>{
           {},
           {"seed=12345678901", "labels=[\"a\",\"b\"]", "train.loss.class_weights=[1,2.5]", "train.loss.type=focal"},
           {"train.optimizer.type=sgd", "train.optimizer.momentum=0.9", "train.optimizer.nesterov=true"},
           {"train.optimizer.type=adamw", "train.optimizer.variant=torch", "train.schedule.type=cosine"},
           {"train.optimizer.type=rmsprop", "train.schedule.type=one_cycle", "train.early_stopping.enabled=false"},
           {"train.schedule.type=constant", "data.corpus=", "data.manifest=x.jsonl", "split.test_speakers=[\"01\"]"},
           {"data.corpus=", "data.features=x.npz"},
           {"data.corpus=", "data.features=npy", "data.manifest=x.jsonl"},
           {"name=n", "data.root=r", "data.cache_dir=c", "data.max_frames=7", "split.protocol=cross", "split.fold=2",
            "split.seed=3", "split.folds=4", "split.validation_speakers=[\"2\"]", "split.test_fraction=0.3",
            "split.validation_fraction=0.4", "split.folds_file=f", "split.train_corpus=a", "split.test_corpus=b"},
           {"train.epochs=3", "train.precision=bf16", "train.batch_size=5", "train.shard_size=6",
            "train.bucket_by_length=true", "train.select_best_by=val_uar", "train.loss.label_smoothing=0.1",
            "train.optimizer.weight_decay=0.5", "train.optimizer.clip_norm=2", "train.optimizer.beta_1=0.8",
            "train.optimizer.beta_2=0.7", "train.optimizer.epsilon=0.01", "train.optimizer.learning_rate=0.3"},
           {"train.schedule.monitor=val_uar", "train.schedule.factor=0.25", "train.schedule.patience=3",
            "train.schedule.min_delta=0.5", "train.schedule.cooldown=2", "train.schedule.min_learning_rate=0.125",
            "train.early_stopping.monitor=val_accuracy", "train.early_stopping.patience=1",
            "train.early_stopping.min_delta=0.5", "train.early_stopping.restore_best=false"},
           {"train.schedule.type=cosine", "train.schedule.warmup_epochs=2.5", "train.schedule.initial_fraction=0.5",
            "train.schedule.final_fraction=0.25"},
           {"train.schedule.type=one_cycle", "train.schedule.warmup_fraction=0.5", "train.schedule.div_factor=2",
            "train.schedule.final_div_factor=3", "train.loss.type=focal", "train.loss.gamma=1.5",
            "train.loss.alpha=0.5"},
           {"data.corpus=ravdess+cremad", "data.augment.probability=0.5", "data.augment.tempo=[0.75,1.5]",
            "data.augment.mel_shift=2.5", "data.augment.gain_db=3", "data.augment.tilt_db=2",
            "data.augment.noise_probability=0.25", "data.augment.noise_db=[-5,25]", "data.augment.time_masks=1",
            "data.augment.time_mask_frames=12", "data.augment.frequency_masks=3",
            "data.augment.frequency_mask_channels=4"},
           {"data.balance=class_and_corpus", "data.epoch_clips=500", "data.augment.wave.probability=0.5",
            "data.augment.wave.noise_probability=0.25", "data.augment.wave.noise_kinds=[\"pink\"]",
            "data.augment.wave.rt60_seconds=[0.3,1.5]", "data.augment.wave.reverberation_probability=0.5",
            "data.augment.wave.trim_first=false"},
           {"data.votes=votes.csv", "train.targets=votes", "train.votes_weight=0.5", "train.label_sets=masked",
            "train.mixup_alpha=0.25", "train.mixup_probability=0.75", "train.init_from=other.safetensors",
            "train.init_normalizer=true", "train.freeze=[\"conv*\",\"bn\"]"},
           {"data.copies=after_split"},
           {"train.loss.class_weights=balanced", "normalize=none", "data.crop=center", "features.n_mfcc=20"}}) {
    Json config = minimal_config();
    for (const std::string& a : assignments) apply_override(config, a);
    const Json written = to_json(run_config_from_json(config));
    CHECK(to_json(run_config_from_json(parse_json(written.dump(), "again"))).dump() == written.dump());
    // Everything that was set is in the complete config.
    const Json flat = config.flatten(), written_flat = written.flatten();
    for (const auto& item : flat.items()) {
      INFO(item.key());
      REQUIRE(written_flat.contains(item.key()));
      CHECK(written_flat[item.key()] == item.value());
    }
  }
}

TEST_CASE("run config: unknown keys in every section are refused by path") {
  for (const char* path :
       {"epochs", "data.corpsu", "data.augment.temop", "split.protocoll", "train.epoch", "train.optimizer.lr",
        "train.schedule.step", "train.early_stopping.patienc", "train.loss.kind", "model.layer"}) {
    contains(message_with({std::string(path) + "=1"}), std::string(path) + ": unknown key");
  }
  contains(message_with({"train.epoch=1"}), "did you mean \"epochs\"?");
}

TEST_CASE("run config: wrong types and values name the path and both sides") {
  contains(message_with({"train.epochs=5x"}), "train.epochs: wrong type (expected integer, got string)");
  contains(message_with({"train.epochs=0"}), "train.epochs: out of range");
  contains(message_with({"train.precision=half"}), "train.precision: unknown value");
  contains(message_with({"train.precision=int8"}), "train.precision: 8 bits are too few to train with");
  contains(message_with({"train.epochs=2.5"}), "train.epochs: wrong type");
  contains(message_with({"train.optimizer.beta_1=1"}), "train.optimizer.beta_1: out of range");
  contains(message_with({"train.optimizer.epsilon=0"}), "train.optimizer.epsilon: out of range");
  contains(message_with({"train.optimizer.type=adma"}), "did you mean \"adam\"?");
  contains(message_with({"train.optimizer=3"}), "train.optimizer: wrong type (expected object");
  contains(message_with({"train.early_stopping.monitor=loss"}), "train.early_stopping.monitor: unknown value");
  contains(message_with({"train.loss.class_weights=[1,-1]"}), "train.loss.class_weights");
  contains(message_with({"train.loss.class_weights=[0,0]"}), "train.loss.class_weights");
  contains(message_with({"labels=[\"a\",\"b\"]", "train.loss.class_weights=[1,2,3]"}), "train.loss.class_weights");
  contains(message_with({"labels=[\"a\",\"a\"]"}), "labels");
  contains(message_with({"features=mfcc"}), "features: wrong type");
  contains(message_with({"data.corpus="}), "data.corpus");
  contains(message_with({"data.manifest=a.csv", "data.corpus=ravdess"}), "data.manifest");
  contains(message_with({"data.balance=speaker"}), "data.balance: unknown value");
  contains(message_with({"data.copies=both"}), "data.copies: unknown value");
  contains(message_with({"data.epoch_clips=-1"}), "data.epoch_clips: out of range");
  contains(message_with({"data.augment.wave.nois_db=3"}), "data.augment.wave.nois_db: unknown key");
  contains(message_with({"data.augment.wave.noise_db=[5,30]"}), "data.augment.wave.noise_db: stands without");
  contains(message_with({"data.augment=3"}), "data.augment: wrong type (expected object");
  contains(message_with({"data.augment.tempo=1"}), "data.augment.tempo: wrong type");
  contains(message_with({"data.augment.tempo=[1.2]"}), "data.augment.tempo: not a range");
  contains(message_with({"data.augment.tempo=[1.2,0.8]"}), "data.augment.tempo: not a range");
  contains(message_with({"data.augment.tempo=[0,1]"}), "data.augment.tempo: not a range");
  contains(message_with({"data.augment.probability=1.5"}), "data.augment.probability: out of range");
  contains(message_with({"data.augment.time_masks=-1"}), "data.augment.time_masks: out of range");
  contains(message_with({"data.augment.noise_db=[5,30]"}), "data.augment.noise_db: stands without noise_probability");
  contains(message_with({"train.targets=vote"}), "train.targets: unknown value");
  contains(message_with({"train.votes_weight=1.5"}), "train.votes_weight: out of range");
  contains(message_with({"train.label_sets=both"}), "train.label_sets: unknown value");
  contains(message_with({"train.mixup_alpha=-1"}), "train.mixup_alpha: out of range");
  contains(message_with({"train.mixup_alpha=1e-9"}), "train.mixup_alpha: out of range (expected 0, or 0.001 to 100");
  contains(message_with({"train.mixup_probability=2"}), "train.mixup_probability: out of range");
  contains(message_with({"train.init_from=3"}), "train.init_from: wrong type");
  contains(message_with({"train.init_normalizer=true"}), "train.init_normalizer: there is no model");
  contains(message_with({"train.init_normalizer=true", "train.init_from=a", "normalize=none"}),
           "train.init_normalizer: stands beside");
  contains(message_with({"train.freeze=conv"}), "train.freeze: wrong type");
  contains(message_with({"train.freeze=[\"\"]"}), "train.freeze: an empty name");
  contains(message_with({"seed=-1"}), "seed: out of range");
  contains(message_with({"model={}"}), "model.layers: missing key");
  contains(message_with({"model.layers=[]"}), "model.layers: no layers");
  contains(message_of([] { run_config_from_json(Json::object()); }), "model: missing key");
  contains(message_of([] { run_config_from_json(Json::array()); }), "wrong type");
}

TEST_CASE("run config: long clips, speakers' own statistics and uncertain answers") {
  const RunConfig plain = run_config_from_json(minimal_config());
  CHECK(plain.data.long_clips == LongClips::middle);
  CHECK(plain.train.uncertain_share == 0.1);
  CHECK(title_of(plain) == plain.name);
  Json json = minimal_config();
  for (const char* a : {"data.long_clips=vote", "normalize=speaker", "train.uncertain_share=0.25"})
    apply_override(json, a);
  const RunConfig c = run_config_from_json(json);
  CHECK(c.data.long_clips == LongClips::vote);
  CHECK(c.normalize == Normalize::speaker);
  CHECK(standardise_of(c.normalize) == Standardise::per_speaker);
  CHECK(title_of(c) == c.name + " (standardised per speaker)");
  CHECK(c.train.uncertain_share == 0.25);
  CHECK(to_json(run_config_from_json(to_json(c))) == to_json(c));
  contains(message_with({"data.long_clips=left"}), "data.long_clips");
  contains(message_with({"normalize=corpus"}), "normalize");
  contains(message_with({"train.uncertain_share=1"}), "train.uncertain_share: out of range");
}

TEST_CASE("override: values, new keys and items of lists") {
  Json j = parse_json(R"({"a": {"b": 1}, "l": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]})", "x");
  apply_override(j, "a.b=[1, 2]");
  apply_override(j, "a.c.d=text = with equals");
  apply_override(j, "l.1.v=true");
  apply_override(j, "l.x.v=1e-3");
  apply_override(j, "e=");
  CHECK(
      j.dump() ==
      R"({"a":{"b":[1,2],"c":{"d":"text = with equals"}},"l":[{"name":"x","v":0.001},{"name":"y","v":true}],"e":""})");

  const auto error = [&](const std::string& assignment) {
    const Json before = j;
    return message_of([&] { apply_override(j, assignment); });
  };
  contains(error("a.b"), "not an assignment");
  contains(error("=1"), "not an assignment");
  contains(error("a..b=1"), "an empty part");
  contains(error(".a=1"), "an empty part");
  contains(error("a.=1"), "an empty part");
  contains(error("e.f=1"), "e.f: leads through something that is not an object");
  contains(error("l.2.v=1"), "l.2: no such item");
  contains(error("l.z.v=1"), "l.z: no such item");
  contains(error("l.-1.v=1"), "no such item");
  contains(error("l.99999999999999999999.v=1"), "no such item");
}

TEST_CASE("run config: the configs of the project") {
  const RunConfig strong = load_run_config(config_file("model_strong.json"));
  CHECK(strong.name == "model_strong");
  const std::vector<std::string> names = {"conv1", "pool1", "conv2",  "pool2", "lstm1", "attn1", "lstm2",
                                          "attn2", "gap",   "dense1", "bn",    "drop",  "dense2"};
  REQUIRE(strong.model["layers"].size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(strong.model["layers"][i]["name"] == names[i]);
  CHECK(strong.train.epochs == 50);
  CHECK(strong.train.batch_size == 64);
  CHECK(strong.train.optimizer.epsilon == 1e-7);
  CHECK(strong.train.early_stopping.restore_best);

  const RunConfig cremad =
      load_run_config(config_file("model_strong.json"),
                      {"data.corpus=cremad", "split.protocol=cremad-hicmae5", "model.layers.conv1.filters=64"});
  CHECK(cremad.data.corpus == "cremad");
  CHECK(cremad.split.protocol == "cremad-hicmae5");
  CHECK(cremad.model["layers"][0]["filters"] == 64);
  CHECK(load_run_config(config_file("smoke.json")).train.epochs == 2);
}

TEST_CASE("run config: augmentation is off unless asked for") {
  CHECK_FALSE(run_config_from_json(minimal_config()).data.augment.active());
  Json config = minimal_config();
  apply_override(config, "data.augment={}");
  CHECK_FALSE(run_config_from_json(config).data.augment.active());
}

TEST_CASE("run config: the call's model is the reference model for the telephone") {
  const RunConfig call = load_run_config(config_file("call_model.json"));
  Json layers = load_run_config(config_file("model_strong.json")).model["layers"];
  layers[10]["momentum"] = 0.9;
  CHECK(call.model["layers"] == layers);
  const FeatureConfig features = feature_config_of(call);
  CHECK(features.rate_hz == 8000);
  CHECK(streamable(features));
  CHECK(call.data.augment.active());
  check(call.data.augment, features);
  CHECK(call.split.test_speakers.size() == 6);
  CHECK(call.split.validation_speakers.size() == 4);
}

TEST_CASE("run config: files, their names in errors, and layers of another file") {
  const auto folder = std::filesystem::temp_directory_path() / "serene_run_config_test";
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  };
  write("net.json", minimal);
  write("layers.json", R"({"layers": [{"type": "activation"}]})");
  const std::string a = write("a.json", R"({"model": {"file": "net.json"}})");
  const RunConfig c = load_run_config(a);
  CHECK(c.name == "a");
  CHECK(c.model["layers"][0]["name"] == "out");
  CHECK_FALSE(c.model.contains("file"));
  CHECK(load_run_config(a, {"model.file=layers.json"}).model["layers"][0]["type"] == "activation");

  contains(message_of([&] { load_run_config(a, {"train.epochs=no"}); }), a + ": train.epochs: wrong type");
  contains(message_of([&] { load_run_config(a, {"model.file=missing.json"}); }), "missing.json: cannot be opened");
  const std::string broken = write("broken.json", "{\"model\": \n}");
  contains(message_of([&] { load_run_config(broken); }), broken + ": not valid JSON at line 2");
  std::filesystem::remove_all(folder);
}
