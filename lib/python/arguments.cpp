#include "arguments.h"

namespace serene::python {
namespace {

std::string type_of(py::handle object) { return py::str(py::type::handle_of(object).attr("__name__")); }

[[noreturn]] void refuse_array(py::handle given, int dimensions, const char* name) {
  std::string what = type_of(given);
  if (py::isinstance<py::array>(given)) {
    const auto array = py::reinterpret_borrow<py::array>(given);
    what = "a " + std::to_string(array.ndim()) + "-D array of " + std::string(py::str(array.dtype())) +
           ((array.flags() & py::array::c_style) != 0 ? "" : " that is not contiguous");
  }
  throw py::type_error(std::string(name) + ": must be a " + std::to_string(dimensions) +
                       "-D C-contiguous float32 array, got " + what +
                       "; numpy.ascontiguousarray(x, dtype=numpy.float32) makes one (16-bit samples: / 32768 first)");
}

}  // namespace

std::span<const float> float_values(py::handle given, int dimensions, const char* name) {
  using Array = py::array_t<float, py::array::c_style>;
  if (!Array::check_(given)) refuse_array(given, dimensions, name);
  const auto array = py::reinterpret_borrow<Array>(given);
  const bool aligned = (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  if (!aligned || array.ndim() != dimensions) refuse_array(given, dimensions, name);
  return {array.data(), static_cast<std::size_t>(array.size())};
}

std::string path_of(py::handle path, const char* name) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
    PyErr_Clear();
    throw py::type_error(std::string(name) + ": must be a path (str or os.PathLike), got " + type_of(path));
  }
  return py::reinterpret_steal<py::bytes>(bytes);
}

std::string optional_path(py::handle path, const char* name) { return path.is_none() ? "" : path_of(path, name); }

py::object python_of_path(const std::string& path) {
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<py::ssize_t>(path.size())));
}

Json json_of_dict(py::handle dict, const char* name) {
  using namespace py::literals;
  const py::object text = py::module_::import("json").attr("dumps")(dict, "allow_nan"_a = false);
  return parse_json(text.cast<std::string>(), name);
}

Document document_of(py::handle dict_or_path, const char* name) {
  if (py::isinstance<py::dict>(dict_or_path)) return {json_of_dict(dict_or_path, name), name};
  const std::string path = path_of(dict_or_path, name);
  return {read_json_file(path), path};
}

py::object python_of_text(const std::string& json) { return py::module_::import("json").attr("loads")(json); }

void check_signals() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

}  // namespace serene::python
