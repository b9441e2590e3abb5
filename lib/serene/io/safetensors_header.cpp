#include "serene/io/safetensors_header.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "serene/core/utf8.h"

namespace serene::safetensors {
namespace {

constexpr std::uint64_t max_number = std::uint64_t{1} << 48;
constexpr std::size_t max_rank = 32;

std::string in_quotes(std::string_view name) { return "\"" + printable(name, 60) + "\""; }

// Receives the events of nlohmann's parser and accepts the grammar of the header only. Every callback that returns
// false ends the parse with the problem in error().
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  Header header;

  const std::string& error() const { return error_; }

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::start:
        return enter(State::names);
      case State::tensor_value:
        return enter(State::tensor_keys);
      case State::metadata_value:
        return enter(State::metadata_keys);
      default:
        return unexpected("object");
    }
  }

  bool key(string_t& name) override {
    switch (state_) {
      case State::names:
        if (name == "__metadata__") {
          if (has_metadata_) return fail("duplicate key \"__metadata__\"");
          has_metadata_ = true;
          return enter(State::metadata_value);
        }
        name_ = name;
        tensor_ = {};
        has_dtype_ = has_shape_ = has_offsets_ = false;
        if (header.tensors.count(name) != 0) return fail("duplicate key " + in_quotes(name));
        return enter(State::tensor_value);
      case State::metadata_keys:
        name_ = name;
        if (header.metadata.count(name) != 0) return fail("duplicate key __metadata__." + in_quotes(name));
        return enter(State::metadata_text);
      case State::tensor_keys:
        if (name == "dtype") return field(has_dtype_, State::dtype_text, name);
        if (name == "shape") return field(has_shape_, State::shape_value, name);
        if (name == "data_offsets") return field(has_offsets_, State::offsets_value, name);
        return fail("unknown key " + in_quotes(name) + " of tensor " + in_quotes(name_));
      default:
        return unexpected("key");
    }
  }

  bool end_object() override {
    switch (state_) {
      case State::names:
        return enter(State::done);
      case State::metadata_keys:
        return enter(State::names);
      case State::tensor_keys:
        if (!has_dtype_ || !has_shape_ || !has_offsets_) {
          return fail("tensor " + in_quotes(name_) + " lacks dtype, shape or data_offsets");
        }
        if (offsets_.size() != 2) return fail("data_offsets of tensor " + in_quotes(name_) + " are not two numbers");
        tensor_.begin = static_cast<std::size_t>(offsets_[0]);
        tensor_.end = static_cast<std::size_t>(offsets_[1]);
        header.tensors.emplace(name_, tensor_);
        return enter(State::names);
      default:
        return unexpected("end of an object");
    }
  }

  bool start_array(std::size_t) override {
    if (state_ == State::shape_value) return enter(State::shape_numbers);
    if (state_ == State::offsets_value) {
      offsets_.clear();
      return enter(State::offsets_numbers);
    }
    return unexpected("array");
  }

  bool end_array() override { return enter(State::tensor_keys); }

  bool string(string_t& text) override {
    if (state_ == State::metadata_text) {
      header.metadata.emplace(name_, text);
      return enter(State::metadata_keys);
    }
    if (state_ == State::dtype_text) {
      if (dtype_bits(text) == 0) return fail("unknown dtype " + in_quotes(text) + " of tensor " + in_quotes(name_));
      tensor_.dtype = text;
      return enter(State::tensor_keys);
    }
    return unexpected("string");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::shape_numbers && state_ != State::offsets_numbers) return unexpected("number");
    if (value > max_number) return fail("number above 2^48 in tensor " + in_quotes(name_));
    if (state_ == State::shape_numbers) {
      if (tensor_.shape.size() == max_rank) return fail("more than 32 dimensions in tensor " + in_quotes(name_));
      tensor_.shape.push_back(static_cast<Index>(value));
    } else {
      if (offsets_.size() == 2) return fail("data_offsets of tensor " + in_quotes(name_) + " are not two numbers");
      offsets_.push_back(value);
    }
    return true;
  }

  bool number_integer(number_integer_t) override { return unexpected("negative number"); }
  bool number_float(number_float_t, const string_t&) override { return unexpected("number that is not whole"); }
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("boolean"); }
  bool binary(binary_t&) override { return unexpected("binary value"); }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception&) override {
    return fail("broken JSON at byte " + std::to_string(position) + " near " + in_quotes(token));
  }

 private:
  enum class State {
    start,
    names,
    tensor_value,
    tensor_keys,
    dtype_text,
    shape_value,
    shape_numbers,
    offsets_value,
    offsets_numbers,
    metadata_value,
    metadata_keys,
    metadata_text,
    done,
  };

  bool enter(State next) {
    state_ = next;
    return true;
  }
  bool field(bool& seen, State next, const std::string& name) {
    if (seen) return fail("duplicate key " + in_quotes(name) + " of tensor " + in_quotes(name_));
    seen = true;
    return enter(next);
  }
  bool unexpected(const char* what) {
    return fail(std::string("unexpected ") + what + (name_.empty() ? "" : " at " + in_quotes(name_)));
  }
  bool fail(const std::string& problem) {
    error_ = problem;
    return false;
  }

  State state_ = State::start;
  std::string name_, error_;
  TensorInfo tensor_;
  std::vector<std::uint64_t> offsets_;
  bool has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

}  // namespace

Error failure(const std::string& where, const std::string& kind, const std::string& problem) {
  return Error(ErrorCode::input, where, kind + ": " + problem);
}

unsigned dtype_bits(std::string_view dtype) {
  struct Row {
    std::string_view name;
    unsigned bits;
  };
  static constexpr Row rows[] = {{"F32", 32},    {"F64", 64}, {"F16", 16},    {"BF16", 16},   {"I64", 64},
                                 {"I32", 32},    {"I16", 16}, {"I8", 8},      {"U64", 64},    {"U32", 32},
                                 {"U16", 16},    {"U8", 8},   {"BOOL", 8},    {"F8_E4M3", 8}, {"F8_E5M2", 8},
                                 {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}};
  for (const Row& row : rows) {
    if (row.name == dtype) return row.bits;
  }
  return 0;
}

Header parse_header(std::string_view json, const std::string& where) {
  if (!is_utf8(json)) throw failure(where, "InvalidHeader", "the header is not UTF-8");
  if (json.empty() || json.front() != '{') throw failure(where, "InvalidHeader", "the header does not start with '{'");
  // nlohmann's parser takes a zero byte for the end of its input and would not see what follows.
  if (json.find('\0') != std::string_view::npos) {
    throw failure(where, "InvalidHeaderDeserialization", "zero byte in the header");
  }
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    throw failure(where, "InvalidHeaderDeserialization", reader.error());
  }
  return std::move(reader.header);
}

}  // namespace serene::safetensors
