// serene.train
#include <pybind11/stl.h>

#include <optional>
#include <utility>
#include <vector>

#include "arguments.h"
#include "bindings.h"
#include "serene/train/outcome.h"
#include "serene/train/run_folder.h"

namespace serene::python {
namespace {

constexpr const char* kTrainDoc =
    "train(config, data=None, run=None, overrides=(), on_epoch=None, *, cache=None, threads=None) -> (results, "
    "model)\n\n"
    "Trains a model as `serene train` does, to the same bytes, and tests it on held-out speakers. Returns the scores\n"
    "of the test part, a dict as in results.json, and the path of the model.\n\n"
    "config: the path of a JSON config, or a dict with the same keys (its layers in place, not as a file).\n"
    "data: folder of the corpora; None: where `serene train` looks. run: the folder to write, which must not hold a\n"
    "    run; None: runs/<name of the config>. cache: folder of cached features, \"off\" for none; None: the usual "
    "one.\n"
    "overrides: strings such as \"train.epochs=5\". threads: None: all that this process may use; the result is the\n"
    "    same for any number.\n"
    "on_epoch: called after each epoch with its line of log.jsonl, a dict. What it returns is None to go on, or "
    "whether\n"
    "    to go on: after False the best epoch so far is calibrated and tested as if training had come to its end.\n\n"
    "Ctrl-C is heard after each step, and so is what on_epoch raises: the run folder then holds all epochs until "
    "there\n"
    "and `serene train --resume --run DIR` goes on. Works without the GIL. Skipped clips are warnings of the logger\n"
    "\"serene\". Raises serene.Error as the program does.";

RunConfig config_of(const py::object& config, const std::vector<std::string>& overrides) {
  if (!py::isinstance<py::dict>(config)) {
    const std::string path = path_of(config, "config");
    RunConfig result = load_run_config(path, overrides);
    with_context(path, [&] { feature_config_of(result); });
    return result;
  }
  Json json = json_of_dict(config, "config");
  return with_context("config", [&] {
    for (const std::string& assignment : overrides) apply_override(json, assignment);
    RunConfig result = run_config_from_json(json);
    feature_config_of(result);
    return result;
  });
}

void log(const char* level, const std::string& line) {
  const py::gil_scoped_acquire gil;
  py::module_::import("logging").attr("getLogger")("serene").attr(level)("%s", line);
}

bool wants_more(const py::object& on_epoch, const EpochRecord& record) {
  const py::gil_scoped_acquire gil;
  if (on_epoch.is_none()) return true;
  const py::object answer = on_epoch(python_of(to_json(record)));
  return answer.is_none() || py::bool_(answer);
}

// Called without the GIL.
Json run_training(const RunConfig& config, const RunFolder& folder, const std::string& data, const std::string& cache,
                  int threads, const py::object& on_epoch) {
  if (folder.has_config()) folder.open(false);  // refuses before the long work
  ThreadPool pool(threads);
  const FeatureSet features = load_corpus_features(config, data, cache, pool);
  for (const SkippedClip& s : features.manifest.skipped)
    log("warning", "skipped " + printable(s.path, 300) + ": " + s.reason);
  check_signals();
  const Split split = chosen_split(config, features);
  Experiment experiment(config, features, split, pool);
  for (const std::string& line : experiment.remarks()) log("info", line);
  folder.open(false);
  folder.write_start(config, split, features);
  Trainer& trainer = experiment.trainer();
  while (!trainer.finished()) {
    const EpochRecord& record = trainer.run_epoch([](Index, Index, double, double) { check_signals(); });
    folder.write_epoch(experiment);
    if (!wants_more(on_epoch, record)) break;
  }
  const Outcome outcome = finish(experiment);
  folder.write_end(experiment, experiment.checkpoint(outcome.temperature, outcome.uncertain_below), outcome.evaluation,
                   outcome.predictions);
  return to_json(outcome.evaluation);
}

py::tuple train(const py::object& config, const py::object& data, const py::object& run,
                const std::vector<std::string>& overrides, const py::object& on_epoch, const py::object& cache,
                std::optional<int> threads) {
  if (!on_epoch.is_none() && PyCallable_Check(on_epoch.ptr()) == 0) throw py::type_error("on_epoch: must be callable");
  const RunConfig resolved = config_of(config, overrides);
  const RunFolder folder(run.is_none() ? "runs/" + resolved.name : path_of(run, "run"));
  const std::string data_path = optional_path(data, "data"), cache_path = optional_path(cache, "cache");
  Json results;
  {
    const py::gil_scoped_release free_gil;
    results = run_training(resolved, folder, data_path, cache_path, threads.value_or(available_threads()), on_epoch);
  }
  return py::make_tuple(python_of(results), python_of_path(folder.file("best.safetensors")));
}

}  // namespace

void bind_train(py::module_& m) {
  m.def("train", &train, kTrainDoc, py::arg("config"), py::arg("data") = py::none(), py::arg("run") = py::none(),
        py::arg("overrides") = py::tuple(), py::arg("on_epoch") = py::none(), py::kw_only(),
        py::arg("cache") = py::none(), py::arg("threads") = py::none());
}

}  // namespace serene::python
