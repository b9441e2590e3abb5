// serene.features
#include <utility>

#include "arguments.h"
#include "bindings.h"
#include "serene/audio/features.h"

namespace serene::python {
namespace {

constexpr const char* kFeaturesDoc =
    "features(samples, rate, preset=\"logmel-64\", **settings) -> numpy.ndarray\n\n"
    "Features of a clip: float32 of shape (frames, F), equal to those that `serene features` writes for a file with\n"
    "these samples.\n\n"
    "samples: 1-D C-contiguous float32, mono, full scale 1. rate: their rate in Hz, 1000 to 768000; they are\n"
    "    resampled to the preset's.\n"
    "preset: mfcc-40, logmel-64, kaggle-162, kaggle-2376 or kaggle-frames. settings: changes of it by name, such as\n"
    "    n_mels=80 or trim_top_db=None.\n\n"
    "Raises serene.Error for an unknown preset or setting, a value out of range, samples that are empty, too few or\n"
    "not finite. May be called from any thread.";

FeatureConfig config_of(const std::string& preset, const py::dict& settings) {
  Json json = json_of_dict(settings, "features");
  json["preset"] = preset;
  JsonReader reader(json, "features");
  return feature_config_from_json(reader);
}

// The matrix as an array that owns its values.
py::array_t<float> array_of(FeatureMatrix matrix) {
  auto* const kept = new FeatureMatrix(std::move(matrix));
  const py::capsule owner(kept, [](void* p) { delete static_cast<FeatureMatrix*>(p); });
  return py::array_t<float>({kept->frames, kept->dim}, kept->values.data(), owner);
}

py::array_t<float> features(const py::object& samples, int rate, const std::string& preset,
                            const py::kwargs& settings) {
  const auto values = float_values(samples, 1, "samples");
  const FeatureConfig config = config_of(preset, settings);
  FeatureMatrix matrix;
  {
    const py::gil_scoped_release free_gil;
    matrix = features_of_samples(config, values, rate);
  }
  return array_of(std::move(matrix));
}

}  // namespace

void bind_features(py::module_& m) {
  m.def("features", &features, kFeaturesDoc, py::arg("samples"), py::arg("rate"), py::arg("preset") = "logmel-64");
}

}  // namespace serene::python
