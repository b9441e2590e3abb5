#include "golden_case.h"

#include <algorithm>
#include <sstream>

#include "serene/io/safetensors.h"

namespace serene::golden {

namespace {

Error case_error(const GoldenCase& c, const std::string& problem) {
  return Error(ErrorCode::input, "golden case " + c.name, problem);
}

const Json& hyper_value(const GoldenCase& c, const std::string& key) {
  if (!c.hyper.contains(key)) throw case_error(c, "no hyper-parameter \"" + key + "\"");
  return c.hyper.at(key);
}

std::map<std::string, GoldenTensor> read_tensors(const std::string& path) {
  const SafeTensors file = read_safetensors(path, {true});
  std::map<std::string, GoldenTensor> tensors;
  for (const std::string& name : file.names()) tensors[name] = {file.info(name).shape, file.get<double>(name)};
  return tensors;
}

}  // namespace

const GoldenTensor& GoldenCase::tensor(const std::string& tensor_name) const {
  const auto found = tensors.find(tensor_name);
  if (found == tensors.end()) throw case_error(*this, "no tensor " + tensor_name);
  return found->second;
}

Shape GoldenCase::shape(const std::string& tensor_name) const {
  const std::vector<Index>& s = tensor(tensor_name).shape;
  if (s.size() == 3) return {s[0], s[1], s[2]};
  if (s.size() == 2) return {s[0], 1, s[1]};
  throw case_error(*this, tensor_name + " has " + std::to_string(s.size()) + " axes (expected 2 or 3)");
}

Index GoldenCase::integer(const std::string& key) const {
  const Json& v = hyper_value(*this, key);
  if (v.is_null()) return 0;
  if (!v.is_number()) throw case_error(*this, key + " is not a number");
  return v.get<Index>();
}

double GoldenCase::number(const std::string& key) const {
  const Json& v = hyper_value(*this, key);
  if (v.is_null()) return 0;
  if (!v.is_number()) throw case_error(*this, key + " is not a number");
  return v.get<double>();
}

bool GoldenCase::boolean(const std::string& key) const {
  const Json& v = hyper_value(*this, key);
  if (v.is_null()) return false;
  if (!v.is_boolean()) throw case_error(*this, key + " is not true or false");
  return v.get<bool>();
}

std::string GoldenCase::text(const std::string& key) const {
  const Json& v = hyper_value(*this, key);
  if (!v.is_string()) throw case_error(*this, key + " is not a text");
  return v.get<std::string>();
}

GoldenCase load_case(const Json& entry, const std::string& folder) {
  GoldenCase c;
  c.name = entry.at("case").get<std::string>();
  c.op = entry.at("op").get<std::string>();
  c.hyper = entry.at("hyper");
  c.tolerance = entry.at("tolerance");
  c.tensors = read_tensors(folder + "/" + entry.at("file").get<std::string>());
  return c;
}

Comparison::Comparison(const GoldenCase& c, bool in_float) {
  const Json& t = c.tolerance.at(in_float ? "float32" : "float64");
  // A case with rules of its own (the whole model) states them by other keys; its runner reads c.tolerance itself.
  rtol_ = t.value("rtol", 0.0);
  atol_ = t.value("atol", 0.0);
}

void Comparison::add(const std::string& what, Index i, double got, double expected) {
  add(what, i, got, expected, rtol_, atol_);
}

void Comparison::add(const std::string& what, Index i, double got, double expected, double rtol, double atol) {
  ++compared_;
  const double error = std::abs(got - expected), allowed = atol + rtol * std::abs(expected);
  if (error <= allowed) {
    if (allowed > 0) worst_share_ = std::max(worst_share_, error / allowed);
    return;
  }
  std::ostringstream text;
  text.precision(12);
  text << what << "[" << i << "] is " << got << ", expected " << expected << " within " << allowed;
  fail(text.str());
}

std::string Comparison::message() const {
  if (compared_ == 0 && failures_ == 0) return "nothing was compared";
  return first_ + " (" + std::to_string(failures_) + " of " + std::to_string(compared_) + " values)";
}

std::map<std::string, Runner>& runners() {
  static std::map<std::string, Runner> table;
  return table;
}

}  // namespace serene::golden
