// serene.Recognizer and serene.Recognition
#include "serene/call/recognizer.h"

#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "arguments.h"
#include "bindings.h"
#include "serene/core/finite.h"

namespace serene::python {
namespace {

constexpr const char* kRecognitionDoc =
    "What was recognised in a clip. Plain values.\n\n"
    "label: the likeliest emotion, also where uncertain. probabilities: float64 of shape (labels,), in the order of\n"
    "Recognizer.labels; they sum to 1. uncertain: the largest is below the model's threshold. frames: feature frames\n"
    "of the clip.";

constexpr const char* kRecognizerDoc =
    "Recognizer(path, precision=\"full\")\n\n"
    "A trained model or an ensemble of several, from a .safetensors file. Immutable: any number of threads may use\n"
    "one at the same time.\n\n"
    "precision: \"full\", \"bf16\" or \"int8\", of the products. Raises serene.Error for a file that is missing or\n"
    "broken, and for a model that does not give the answers that are stored with it.";

constexpr const char* kRecognizeDoc =
    "recognize(samples, rate=16000) -> Recognition\n\n"
    "samples: 1-D C-contiguous float32, mono, full scale 1; at least as many as one feature frame needs. rate: their\n"
    "rate in Hz, 1000 to 768000. At the model's own rate they are read where they lie, else resampled. Gives what\n"
    "recognize_file gives for a file of these samples. Raises serene.Error for samples that are empty, too few or not\n"
    "finite.";

constexpr const char* kRecognizeFileDoc =
    "recognize_file(path) -> Recognition\n\n"
    "WAV, FLAC, Ogg, Opus, MP3 and what else libsndfile reads, at any rate and number of channels. Raises "
    "serene.Error\n"
    "that names a file which cannot be used.";

constexpr const char* kRecognizeFeaturesDoc =
    "recognize_features(features) -> Recognition\n\n"
    "features: 2-D C-contiguous float32 (frames, F), of the model's own kind and not standardised, as serene.features\n"
    "makes them; copied. Raises serene.Error for another F, no frames, values that are not finite, and for an ensemble "
    "whose members hear\n"
    "several kinds of features.";

constexpr const char* kTimelineDoc =
    "timeline(path, window_s=3.0) -> list of (from_s, to_s, Recognition)\n\n"
    "A long recording in windows of window_s seconds (0.1 to 3600) that overlap by half; the last one ends with it.";

struct PythonRecognition {
  std::string label;
  py::array_t<double> probabilities;
  bool uncertain = false;
  Index frames = 0;
};

PythonRecognition python_of(const Recognizer& recognizer, const Recognition& r) {
  return {recognizer.labels()[static_cast<std::size_t>(r.label)],
          py::array_t<double>(static_cast<py::ssize_t>(r.probabilities.size()), r.probabilities.data()), r.uncertain,
          r.frames};
}

std::string text_of(const PythonRecognition& r) {
  const py::object best = r.probabilities.attr("max")();
  return py::str("Recognition(label={!r}, probability={:.4f}, uncertain={}, frames={})")
      .format(r.label, best, r.uncertain, r.frames);
}

// A single model has its temperature with its logits, an ensemble one more over the members' own.
double temperature_of(const Recognizer& recognizer) {
  const auto& members = recognizer.members();
  return members.size() == 1 ? members.front().checkpoint.temperature : recognizer.temperature();
}

std::shared_ptr<Recognizer> open(const py::object& path, const std::string& precision) {
  const std::string file = path_of(path, "path");
  const py::gil_scoped_release free_gil;
  return std::make_shared<Recognizer>(Recognizer::open(file, parse_precision(precision)));
}

Recognition recognize_matrix(const Recognizer& recognizer, std::span<const float> values, Index frames, Index dim) {
  if (recognizer.streams().size() != 1) {
    throw Error(ErrorCode::usage, "features", "the members of the ensemble hear several kinds of features");
  }
  const Index wanted = recognizer.members().front().checkpoint.input_channels;
  if (frames < 1 || dim != wanted) {
    throw Error(ErrorCode::input, "features", "wrong shape")
        .expected("(frames, " + std::to_string(wanted) + ")")
        .got("(" + std::to_string(frames) + ", " + std::to_string(dim) + ")");
  }
  if (!all_finite(values.data(), frames * dim)) throw Error(ErrorCode::input, "features", "are not all finite");
  FeatureMatrix matrix(frames, dim);
  matrix.values.assign(values.begin(), values.end());
  return recognizer.recognize_features(matrix);
}

// Runs work(), which gives a Recognition, without the GIL.
template <class F>
PythonRecognition answer(const Recognizer& recognizer, F&& work) {
  Recognition r;
  {
    const py::gil_scoped_release free_gil;
    r = work();
  }
  return python_of(recognizer, r);
}

PythonRecognition recognize(const Recognizer& recognizer, const py::object& samples, int rate) {
  const auto values = float_values(samples, 1, "samples");
  return answer(recognizer, [&] { return recognizer.recognize(values, rate); });
}

PythonRecognition recognize_file(const Recognizer& recognizer, const py::object& path) {
  const std::string file = path_of(path, "path");
  return answer(recognizer, [&] { return recognizer.recognize_file(file); });
}

PythonRecognition recognize_features(const Recognizer& recognizer, const py::object& features) {
  const auto values = float_values(features, 2, "features");
  const auto array = py::reinterpret_borrow<py::array>(features);
  const Index frames = array.shape(0), dim = array.shape(1);
  return answer(recognizer, [&] { return recognize_matrix(recognizer, values, frames, dim); });
}

py::list timeline(const Recognizer& recognizer, const py::object& path, double window_s) {
  const std::string file = path_of(path, "path");
  std::vector<TimedRecognition> rows;
  {
    const py::gil_scoped_release free_gil;
    rows = recognizer.recognize_timeline(file, window_s);
  }
  py::list list;
  for (const TimedRecognition& row : rows) {
    list.append(py::make_tuple(row.from_s, row.to_s, python_of(recognizer, row.recognition)));
  }
  return list;
}

}  // namespace

void bind_recognizer(py::module_& m) {
  py::class_<PythonRecognition>(m, "Recognition", kRecognitionDoc)
      .def_readonly("label", &PythonRecognition::label)
      .def_readonly("probabilities", &PythonRecognition::probabilities)
      .def_readonly("uncertain", &PythonRecognition::uncertain)
      .def_readonly("frames", &PythonRecognition::frames)
      .def("__repr__", &text_of);
  py::class_<Recognizer, std::shared_ptr<Recognizer>>(m, "Recognizer", kRecognizerDoc)
      .def(py::init(&open), py::arg("path"), py::arg("precision") = "full")
      .def_property_readonly(
          "labels", [](const Recognizer& r) { return r.labels(); }, "The emotions, in order: a list of str.")
      .def_property_readonly("temperature", &temperature_of,
                             "Temperature of the probabilities; of an ensemble: that of the mixture of its members.")
      .def_property_readonly("uncertain_below", &Recognizer::uncertain_below,
                             "A largest probability below this counts as uncertain; 0: never.")
      .def("recognize", &recognize, kRecognizeDoc, py::arg("samples"), py::arg("rate") = 16000)
      .def("recognize_file", &recognize_file, kRecognizeFileDoc, py::arg("path"))
      .def("recognize_features", &recognize_features, kRecognizeFeaturesDoc, py::arg("features"))
      .def("timeline", &timeline, kTimelineDoc, py::arg("path"), py::arg("window_s") = 3.0);
}

}  // namespace serene::python
