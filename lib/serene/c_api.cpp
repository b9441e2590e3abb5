#include "serene/c_api.h"

#include <algorithm>
#include <cstdio>

#include "serene/c_api_support.h"

namespace serene::c_api {
namespace {

static_assert(SERENE_PRECISION_FULL == static_cast<int>(Precision::full));
static_assert(SERENE_PRECISION_BF16 == static_cast<int>(Precision::bf16));
static_assert(SERENE_PRECISION_INT8 == static_cast<int>(Precision::int8));

// An array, so that telling of an error never needs memory.
thread_local char last_error[2048] = "";

serene_status status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return SERENE_ERROR_USAGE;
    case ErrorCode::input:
    case ErrorCode::divergence:
      return SERENE_ERROR_INPUT;
    case ErrorCode::not_found:
      return SERENE_ERROR_NOT_FOUND;
    case ErrorCode::internal:
      break;
  }
  return SERENE_ERROR_INTERNAL;
}

Precision precision_of(int32_t value) {
  if (value < SERENE_PRECISION_FULL || value > SERENE_PRECISION_INT8)
    throw Error(ErrorCode::usage, "options.precision", "unknown");
  return static_cast<Precision>(value);
}

std::shared_ptr<const serene_model::Data> open_model(const char* path, const serene_model_options& o) {
  const bool for_calls = o.call_config != nullptr || o.playbook != nullptr;
  const Precision precision = precision_of(o.precision);
  CallFiles files;
  if (o.call_config != nullptr) files.config = o.call_config;
  if (o.playbook != nullptr) files.playbook = o.playbook;
  auto data = std::make_shared<serene_model::Data>(serene_model::Data{Recognizer::open(path, precision), {}, {}});
  try {
    data->call.emplace(call_model_of(data->recognizer, files));
  } catch (const Error& e) {
    if (for_calls) throw;
    data->why_no_call = e.what();  // recordings can be recognised all the same
  }
  return data;
}

// Checks what the results go to before the work is done, and then fills it.
template <class Recognize>
serene_status recognize(const serene_model* model, double* probabilities, size_t capacity, serene_recognition* result,
                        Recognize&& work) noexcept {
  return guarded([&] {
    need(model, "model");
    const Recognizer& recognizer = model->data->recognizer;
    if (probabilities != nullptr && capacity < recognizer.labels().size()) {
      throw Error(ErrorCode::usage, "capacity", "too little room for the probabilities")
          .expected(std::to_string(recognizer.labels().size()))
          .got(std::to_string(capacity));
    }
    if (result != nullptr) check_struct(result, "result");
    const Recognition r = work(recognizer);
    if (probabilities != nullptr) std::copy(r.probabilities.begin(), r.probabilities.end(), probabilities);
    if (result == nullptr) return;
    serene_recognition out{};
    out.label = r.label;
    out.uncertain = r.uncertain ? 1 : 0;
    out.probability = r.probabilities[static_cast<std::size_t>(r.label)];
    out.frames = r.frames;
    give(out, result);
  });
}

}  // namespace

serene_status fail(serene_status status, const char* text) noexcept {
  std::snprintf(last_error, sizeof last_error, "%s", text);
  return status;
}

serene_status fail(const Error& error) noexcept { return fail(status_of(error.code()), error.what()); }

}  // namespace serene::c_api

using namespace serene::c_api;

int32_t serene_version_number(void) { return SERENE_VERSION_NUMBER; }
const char* serene_version(void) { return SERENE_VERSION; }
const char* serene_last_error(void) { return last_error; }

serene_status serene_model_open(const char* path, const serene_model_options* options, serene_model** model) {
  return guarded([&] {
    need(path, "path");
    need(model, "model");
    *model = std::make_unique<serene_model>(serene_model{open_model(path, known_part(options, "options"))}).release();
  });
}

void serene_model_close(serene_model* model) { delete model; }

size_t serene_model_label_count(const serene_model* model) {
  return model == nullptr ? 0 : model->data->recognizer.labels().size();
}

const char* serene_model_label(const serene_model* model, size_t place) {
  if (place >= serene_model_label_count(model)) return nullptr;
  return model->data->recognizer.labels()[place].c_str();
}

size_t serene_model_state_count(const serene_model* model) {
  return model == nullptr || !model->data->call ? 0 : model->data->call->states().size();
}

const char* serene_model_state(const serene_model* model, size_t place) {
  if (place >= serene_model_state_count(model)) return nullptr;
  return model->data->call->states()[place].name.c_str();
}

serene_status serene_recognize_file(const serene_model* model, const char* path, double* probabilities, size_t capacity,
                                    serene_recognition* result) {
  return recognize(model, probabilities, capacity, result, [&](const serene::Recognizer& recognizer) {
    need(path, "path");
    return recognizer.recognize_file(path);
  });
}

serene_status serene_recognize_samples(const serene_model* model, const float* samples, size_t count, int32_t rate_hz,
                                       double* probabilities, size_t capacity, serene_recognition* result) {
  return recognize(model, probabilities, capacity, result, [&](const serene::Recognizer& recognizer) {
    need(samples, "samples");
    return recognizer.recognize({samples, count}, rate_hz);
  });
}
