// Cases of the reference vectors: loading, comparing, and the table from an operation's name to what runs it.
//
// A file of runners registers itself, once per operation:
//
//   template <class S> void run_dense(const GoldenCase& c, GoldenCheck<S>& check) {
//     const std::vector<S> x = c.get<S>("in.x");
//     ...
//     check.equal("out.y", y.data(), y_count);      // against the case's tensor of that name
//   }
//   const RegisterRunner dense("Dense", run_dense<double>, run_dense<float>);
#pragma once

#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/json.h"
#include "serene/core/types.h"

namespace serene::golden {

struct GoldenTensor {
  std::vector<Index> shape;
  std::vector<double> values;
};

struct GoldenCase {
  std::string name;
  std::string op;
  Json hyper;      // of the manifest
  Json tolerance;  // {"float64": {"rtol","atol"}, "float32": {...}}
  std::map<std::string, GoldenTensor> tensors;

  bool has(const std::string& tensor) const { return tensors.count(tensor) != 0; }
  // Throws Error when the case has no such tensor.
  const GoldenTensor& tensor(const std::string& tensor_name) const;

  template <class S>
  std::vector<S> get(const std::string& tensor_name) const {
    const std::vector<double>& values = tensor(tensor_name).values;
    return std::vector<S>(values.begin(), values.end());
  }
  // aux.lengths, or empty when the case has no mask.
  std::vector<Index> lengths() const { return has("aux.lengths") ? get<Index>("aux.lengths") : std::vector<Index>{}; }
  // (B, C) is read as (B, 1, C).
  Shape shape(const std::string& tensor_name) const;

  // Values of `hyper`; throws Error when the key is missing or of another type. null is false and 0.
  Index integer(const std::string& key) const;
  double number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::string text(const std::string& key) const;
};

// Reads one file of the set. entry: its object in the manifest; folder: where its file lies.
GoldenCase load_case(const Json& entry, const std::string& folder);

// Collects the comparisons of one case: |a - e| <= atol + rtol |e| for every element.
class Comparison {
 public:
  Comparison(const GoldenCase& c, bool in_float);

  void add(const std::string& what, Index i, double got, double expected);
  void add(const std::string& what, Index i, double got, double expected, double rtol, double atol);
  void fail(const std::string& problem) {
    if (failures_++ == 0) first_ = problem;
  }

  double rtol() const { return rtol_; }
  double atol() const { return atol_; }
  bool passed() const { return failures_ == 0 && compared_ > 0; }
  Index compared() const { return compared_; }
  // Largest share of its tolerance that an element used.
  double worst_share() const { return worst_share_; }
  std::string message() const;

 private:
  double rtol_ = 0, atol_ = 0, worst_share_ = 0;
  Index compared_ = 0, failures_ = 0;
  std::string first_;
};

template <class S>
class GoldenCheck : public Comparison {
 public:
  explicit GoldenCheck(const GoldenCase& c) : Comparison(c, sizeof(S) == sizeof(float)), case_(c) {}

  // All of the tensor `name` of the case against got[0..count).
  template <class T>
  void equal(const std::string& name, const T* got, Index count) {
    const std::vector<double>& expected = case_.tensor(name).values;
    if (static_cast<Index>(expected.size()) != count) {
      fail(name + ": " + std::to_string(count) + " values, expected " + std::to_string(expected.size()));
      return;
    }
    for (Index i = 0; i < count; ++i) add(name, i, static_cast<double>(got[i]), expected[static_cast<std::size_t>(i)]);
  }

 private:
  const GoldenCase& case_;
};

struct Runner {
  void (*in_double)(const GoldenCase&, GoldenCheck<double>&) = nullptr;
  void (*in_float)(const GoldenCase&, GoldenCheck<float>&) = nullptr;
};

// By operation. Filled before main() by the objects below.
std::map<std::string, Runner>& runners();

struct RegisterRunner {
  RegisterRunner(const char* op, void (*in_double)(const GoldenCase&, GoldenCheck<double>&),
                 void (*in_float)(const GoldenCase&, GoldenCheck<float>&)) {
    runners()[op] = {in_double, in_float};
  }
};

}  // namespace serene::golden
