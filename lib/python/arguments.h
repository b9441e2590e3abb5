// What the functions of the Python module take and give: NumPy arrays as spans, dicts as JSON, paths.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <span>
#include <string>

#include "serene/core/json.h"

namespace serene::python {

namespace py = pybind11;

// The values of a C-contiguous float32 array of so many dimensions, where they lie: nothing is copied, and the caller
// keeps the array alive. Throws TypeError that says what was given and how to convert it.
std::span<const float> float_values(py::handle array, int dimensions, const char* name);

// The path of a str, bytes or os.PathLike; TypeError for anything else.
std::string path_of(py::handle path, const char* name);
// The same; "" for None.
std::string optional_path(py::handle path, const char* name);
py::object python_of_path(const std::string& path);

// A dict, or the JSON file of a path. `where` is its place in errors: the name or the path.
struct Document {
  Json json;
  std::string where;
};
Document document_of(py::handle dict_or_path, const char* name);
Json json_of_dict(py::handle dict, const char* name);

py::object python_of_text(const std::string& json);
inline py::object python_of(const Json& json) { return python_of_text(json.dump()); }

// Runs Python's handlers of signals; throws what they raise (KeyboardInterrupt). Takes the GIL itself.
void check_signals();

}  // namespace serene::python
