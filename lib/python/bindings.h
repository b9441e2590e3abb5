// The parts of the module; module.cpp puts them together. Each adds its classes and functions.
#pragma once

#include <pybind11/pybind11.h>

namespace serene::python {

void bind_features(pybind11::module_& m);
void bind_recognizer(pybind11::module_& m);
void bind_session(pybind11::module_& m);
void bind_train(pybind11::module_& m);

}  // namespace serene::python
