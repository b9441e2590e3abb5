// Trains a model on data that come from a program and not from a corpus on disk, writes it and uses it.
//
//   own_data_loader OUT.safetensors
//
// The loader below makes tones up so that the example needs no data: replace next_clip() by whatever knows your
// recordings. (Training comes with the static library; libserene.so keeps it to itself.)
#include <serene/call/recognizer.h>
#include <serene/train/experiment.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

namespace {

struct LabelledClip {
  std::vector<float> samples;  // mono at 16 kHz, full scale 1
  std::string label, speaker;
};

// Six speakers, each with a pitch of their own, say "calm" (dull and even) and "excited" (bright and trembling) five
// times each.
std::optional<LabelledClip> next_clip(int i) {
  if (i >= 60) return std::nullopt;
  const bool excited = i % 2 == 1;
  const int speaker = i / 10;
  const double pitch = 120 + 12 * speaker + i % 5, bright = excited ? 0.75 : 0.45, tremble = excited ? 0.1 : 0.01;
  LabelledClip clip{std::vector<float>(12000), excited ? "excited" : "calm", "speaker-" + std::to_string(speaker)};
  double phase = 0;
  for (std::size_t n = 0; n < clip.samples.size(); ++n) {
    phase += 2 * M_PI * pitch * (1 + tremble * std::sin(2 * M_PI * 6 * static_cast<double>(n) / 16000)) / 16000;
    double sum = 0;
    for (int h = 1; h <= 12; ++h) sum += std::pow(bright, h - 1) * std::sin(h * phase);
    clip.samples[n] = static_cast<float>(0.1 * sum);
  }
  return clip;
}

// What a training run reads: features, and who said what.
serene::FeatureSet load_my_data() {
  serene::FeatureSet set;
  set.manifest.name = "mine";
  set.manifest.labels = {"calm", "excited"};
  set.config = serene::feature_preset("mfcc-40");
  set.dim = serene::dimension(set.config);
  for (int i = 0; const std::optional<LabelledClip> next = next_clip(i); ++i) {
    serene::Clip clip;
    clip.id = "clip" + std::to_string(i);
    clip.label = next->label;
    clip.speaker = next->speaker;  // speakers are kept apart: none is in two of training, validation and test
    set.manifest.clips.push_back(clip);
    set.clips.push_back(serene::extract_features(set.config, next->samples));
    set.audio_hashes.push_back(clip.id);  // a content hash, where the same recording may come twice
  }
  return set;
}

constexpr const char* kConfig = R"({
  "name": "mine", "seed": 1,
  "split": {"protocol": "holdout", "test_fraction": 0.2, "validation_fraction": 0.2},
  "model": {"layers": [
    {"type": "conv1d", "name": "conv", "filters": 16, "kernel_size": 5, "padding": "same", "activation": "relu"},
    {"type": "global_average_pooling1d", "name": "mean"},
    {"type": "dense", "name": "out", "units": "classes"}]},
  "train": {"epochs": 15, "batch_size": 12, "optimizer": {"type": "adam", "learning_rate": 0.01}}
})";

int run(const char* out) {
  const serene::RunConfig config = serene::run_config_from_json(serene::parse_json(kConfig, "config"));
  const serene::FeatureSet data = load_my_data();
  const serene::Split split = serene::splits_of(config, data)[0];

  serene::ThreadPool pool(serene::available_threads());
  serene::Experiment experiment(config, data, split, pool);
  while (!experiment.trainer().finished()) {
    const serene::EpochRecord& epoch = experiment.trainer().run_epoch();
    std::printf("epoch %2td  loss %.4f  validation accuracy %.0f %%\n", epoch.epoch + 1, epoch.train_loss,
                100 * epoch.val_accuracy);
  }
  const double temperature = experiment.fit_temperature();  // calibrates the probabilities on the validation speakers
  const serene::Evaluation test = serene::evaluate(experiment.predict(split.test, temperature), data.manifest.labels);
  std::printf("%s", serene::to_table(test).c_str());
  serene::write_checkpoint(out, experiment.checkpoint(temperature));

  // The file is all that a program needs to recognise.
  const serene::Recognizer recognizer = serene::Recognizer::open(out);
  const serene::Recognition r = recognizer.recognize(next_clip(59)->samples);
  std::printf("the last clip sounds %s\n", recognizer.labels()[static_cast<std::size_t>(r.label)].c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: own_data_loader OUT.safetensors\n");
    return 1;
  }
  try {
    return run(argv[1]);
  } catch (const serene::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
