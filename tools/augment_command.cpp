// serene augment: examples of a config's augmentation to hear and to see.
#include <algorithm>
#include <filesystem>
#include <map>

#include "augment_page.h"
#include "command.h"
#include "serene/audio/wave.h"
#include "serene/core/thread_pool.h"
#include "serene/io/atomic_file.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kShownRange_db = 80;
constexpr std::size_t kMostVoices = 6;

struct Job {
  AugmentRecipe recipe;
  std::string source;  // of the settings, for the page
  std::vector<std::string> files;
};

bool is_config(const std::string& operand) { return fs::path(operand).extension() == ".json"; }

FeatureAugmentConfig options_file(const std::string& path) {
  const Json json = read_json_file(path);
  return with_context(path, [&] { return feature_augment_from_json(JsonReader(json, "")); });
}

Job job_of(const Arguments& args) {
  Job job;
  job.files = args.positional();
  const bool config = !job.files.empty() && is_config(job.files[0]);
  const auto sets = args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{};
  if (config && args.has("options")) throw Error(ErrorCode::usage, "--options", "stands beside a config");
  if (!config && !sets.empty()) throw Error(ErrorCode::usage, "--set", "needs a config").expected("CONFIG FILE...");
  if (config) {
    const RunConfig run = open_config(job.files[0], sets);
    job.recipe.features = feature_config_of(run);
    job.recipe.augment = run.data.augment;
    job.recipe.seed = run.seed;
    job.source = "Settings of " + job.files[0];
    job.files.erase(job.files.begin());
  } else {
    job.recipe.features = feature_preset(args.get<std::string>("preset"));
    job.recipe.augment =
        args.has("options") ? options_file(args.get<std::string>("options")) : demonstration(job.recipe.features);
    job.source = args.has("options") ? "Settings of " + args.get<std::string>("options") : "Every kind of change";
  }
  job.source += config || args.has("options") ? "" : ", without a config";
  if (args.has("seed")) job.recipe.seed = args.get<std::uint64_t>("seed");
  job.recipe.copies = args.get<int>("copies");
  job.recipe.each = args.has("each");
  if (job.recipe.copies < 1 || job.recipe.copies > 1000) {
    throw Error(ErrorCode::usage, "--copies", "out of range")
        .expected("1..1000")
        .got(std::to_string(job.recipe.copies));
  }
  check(job.recipe.augment, job.recipe.features);
  return job;
}

// Two recordings of one name would write the same files.
void refuse_same_names(const std::vector<std::string>& files) {
  std::map<std::string, std::string> taken;
  for (const std::string& file : files) {
    const auto [at, fresh] = taken.emplace(fs::path(file).stem().string(), file);
    if (!fresh) {
      throw Error(ErrorCode::usage, printable(file, 500), "has the name of " + printable(at->second, 500))
          .hint("give them one at a time, with folders of their own");
    }
  }
}

// The brightest and the darkest value of the pictures of one recording.
std::pair<double, double> shown_range(const FeatureConfig& config, const FeatureMatrix& plain) {
  const auto [low, high] = std::minmax_element(plain.values.begin(), plain.values.end());
  const double top = static_cast<double>(*high), bottom = static_cast<double>(*low);
  return {config.layout == FeatureLayout::logmel ? std::max(bottom, top - kShownRange_db) : bottom, top};
}

ShownRecording write_examples(const Job& job, std::size_t number, const std::string& folder,
                              const std::vector<std::vector<float>>& recordings) {
  std::vector<std::vector<float>> voices;
  for (std::size_t i = 1; i < recordings.size() && voices.size() < kMostVoices; ++i) {
    const std::vector<float>& other = recordings[(number + i) % recordings.size()];
    if (!other.empty()) voices.push_back(other);
  }
  const FeatureConfig& features = job.recipe.features;
  const std::vector<Example> examples = make_examples(job.recipe, recordings[number], number, voices);
  const auto [low, high] = shown_range(features, examples[0].features);
  ShownRecording shown{job.files[number], {}};
  for (const Example& e : examples) {
    const std::string base = fs::path(job.files[number]).stem().string() + "-" + e.name;
    write_wave16((fs::path(folder) / (base + ".wav")).string(), e.samples, features.rate_hz);
    write_file_atomic((fs::path(folder) / (base + ".png")).string(), picture_of(e.features, low, high));
    const double seconds = static_cast<double>(e.samples.size()) / features.rate_hz;
    shown.examples.push_back(
        {e.name, base + ".wav", base + ".png", e.heard, e.seen, seconds, e.features.frames, e.features.dim});
  }
  return shown;
}

std::string picture_text(const FeatureConfig& c) {
  if (c.layout != FeatureLayout::logmel) return "the values of " + c.preset;
  const auto top = static_cast<long>(c.fmax_hz.value_or(c.rate_hz / 2.0));
  return std::to_string(c.n_mels) + " mel bands, " + std::to_string(static_cast<long>(c.fmin_hz)) + " to " +
         std::to_string(top) + " Hz, in decibels from black to yellow";
}

// Runs task(i) for every file; what fails is remembered by file.
template <class F>
void for_files(ThreadPool& pool, std::vector<std::string>& problems, F&& task) {
  pool.run(static_cast<Index>(problems.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    if (!problems[at].empty()) return;
    try {
      task(at);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::usage) throw;
      problems[at] = e.what();
    }
  });
}

int listen(const Job& job, const std::string& folder, int threads) {
  make_folder(folder);
  ThreadPool pool(threads);
  std::vector<std::string> problems(job.files.size());
  std::vector<std::vector<float>> recordings(job.files.size());
  std::vector<ShownRecording> shown(job.files.size());
  for_files(pool, problems, [&](std::size_t i) { recordings[i] = read_recording(job.recipe, job.files[i]); });
  for_files(pool, problems, [&](std::size_t i) { shown[i] = write_examples(job, i, folder, recordings); });
  std::vector<ShownRecording> good;
  std::size_t examples = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (!problems[i].empty()) continue;
    examples += shown[i].examples.size() - 1;
    good.push_back(std::move(shown[i]));
  }
  if (!good.empty()) {
    const std::string page = (fs::path(folder) / "index.html").string();
    write_file_atomic(page, listening_page(job.source, picture_text(job.recipe.features), good));
    print(page + "  " + std::to_string(examples) + " examples of " + std::to_string(good.size()) + " recordings\n");
  }
  bool bad = false;
  for (const std::string& problem : problems) {
    if (problem.empty()) continue;
    remark("serene: " + problem);
    bad = true;
  }
  return bad ? 2 : 0;
}

}  // namespace

int augment_command(int argc, char** argv) {
  Arguments args(
      "augment",
      "Write recordings plain and changed as WAV, pictures of their features, and a page that shows them all.",
      "[CONFIG.json] FILE...");
  args.add()("listen", "Folder for index.html, the WAV files and the pictures", cxxopts::value<std::string>(), "DIR")(
      "copies", "Examples of each recording, each drawn as in another epoch", cxxopts::value<int>()->default_value("4"),
      "N")("each", "Instead: one example for each kind of change that is turned on, alone")(
      "options", "JSON file with the section data.augment alone, instead of a config", cxxopts::value<std::string>(),
      "FILE")("preset", "Features to show without a config", cxxopts::value<std::string>()->default_value("logmel-64"),
              "NAME")("set", "Change a key of the config; may be repeated", cxxopts::value<std::vector<std::string>>(),
                      "KEY=VALUE")("seed", "Another draw", cxxopts::value<std::uint64_t>(), "N")(
      "threads", "Threads; results do not depend on it",
      cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.example("serene augment clip.wav --listen heard --each");
  args.example("serene augment configs/call_model.json clip.wav --listen heard --copies 6");
  if (!args.parse(argc, argv)) return 0;
  const Job job = job_of(args);
  if (job.files.empty()) {
    throw Error(ErrorCode::usage, "serene augment", "at least one audio file is needed")
        .hint("see serene augment --help");
  }
  if (!args.has("listen")) {
    throw Error(ErrorCode::usage, "serene augment", "a folder is needed")
        .expected("--listen DIR")
        .hint("see serene augment --help");
  }
  refuse_same_names(job.files);
  return listen(job, args.get<std::string>("listen"), args.threads());
}

}  // namespace serene::cli
