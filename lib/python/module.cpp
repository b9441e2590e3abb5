// import serene: the module, its version and its one exception.
#include "bindings.h"
#include "serene/core/error.h"
#include "serene/version.h"

namespace serene::python {
namespace {

namespace py = pybind11;

PyObject* error_type = nullptr;  // serene.Error; lives as long as the process

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::input:
      return "input";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::divergence:
      return "divergence";
    case ErrorCode::internal:
      break;
  }
  return "internal";
}

void raise(const Error& e) {
  const auto error = py::reinterpret_steal<py::object>(PyObject_CallFunction(error_type, "s", e.what()));
  if (!error) return;  // a MemoryError is set instead
  error.attr("code") = name_of(e.code());
  PyErr_SetObject(error_type, error.ptr());
}

constexpr const char* kErrorDoc =
    "What went wrong, in one line: the place, the problem, what was expected and what was found.\n\n"
    "code: \"usage\" (the call does not fit), \"input\" (a file, a config or a value is broken), \"not_found\",\n"
    "\"divergence\" (training went non-finite) or \"internal\" (a fault of serene itself).";

constexpr const char* kModuleDoc =
    "Speech emotion recognition: recognise recordings, listen to live calls, train models.\n\n"
    "    model = serene.Recognizer(\"runs/first/best.safetensors\")\n"
    "    print(model.recognize_file(\"clip.wav\"))\n\n"
    "Samples are mono, float32, full scale 1, in C-contiguous NumPy arrays, which are read where they lie: other\n"
    "types and layouts are refused with TypeError, never converted in silence. The array must not be changed while a\n"
    "call reads it. Work is done without the GIL, so threads run side by side. Everything that goes wrong with files,\n"
    "configs and values raises serene.Error.";

}  // namespace
}  // namespace serene::python

PYBIND11_MODULE(serene, m) {
  using namespace serene::python;
  py::options options;
  options.disable_function_signatures();  // the texts give them in Python's own words
  m.doc() = kModuleDoc;
  m.attr("__version__") = SERENE_VERSION;
  error_type = PyErr_NewExceptionWithDoc("serene.Error", kErrorDoc, nullptr, nullptr);
  if (error_type == nullptr) throw py::error_already_set();
  m.add_object("Error", error_type);
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const serene::Error& e) {
      raise(e);
    }
  });
  bind_features(m);
  bind_recognizer(m);
  bind_session(m);
  bind_train(m);
}
