// What the two halves of the C API share: handles, errors as statuses, structs that grow. Not installed.
#pragma once

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>

#include "serene/c_api.h"
#include "serene/serene.h"

struct serene_model {
  struct Data {
    serene::Recognizer recognizer;
    std::optional<serene::CallModel> call;
    std::string why_no_call;
  };
  std::shared_ptr<const Data> data;  // with every session of the model
};

namespace serene::c_api {

// Both remember the text for serene_last_error and return the status.
serene_status fail(serene_status status, const char* text) noexcept;
serene_status fail(const Error& error) noexcept;

// Runs f; nothing it throws gets further.
template <class F>
serene_status guarded(F&& f) noexcept {
  try {
    f();
    return SERENE_OK;
  } catch (const Error& e) {
    return fail(e);
  } catch (const std::bad_alloc&) {
    return fail(SERENE_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return fail(SERENE_ERROR_INTERNAL, e.what());
  } catch (...) {
    return fail(SERENE_ERROR_INTERNAL, "unknown fault");
  }
}

// Throws Error(usage).
template <class T>
void need(const T* pointer, const char* name) {
  if (pointer == nullptr) throw Error(ErrorCode::usage, name, "is NULL");
}

// Throws Error(usage) unless the caller's struct has what every version has. A later version that adds a field compares
// with the size of the first one.
template <class T>
void check_struct(const T* given, const char* name) {
  if (given->struct_size < sizeof(T)) throw Error(ErrorCode::usage, name, "struct_size is not set");
}

// The options as this version knows them; NULL: the usual ones.
template <class T>
T known_part(const T* given, const char* name) {
  static_assert(std::is_trivially_copyable_v<T>);
  T options{};
  if (given == nullptr) return options;
  check_struct(given, name);
  std::memcpy(&options, given, sizeof(T));
  return options;
}

// Fills the caller's struct, whose size was checked.
template <class T>
void give(const T& value, T* to) noexcept {
  const std::size_t size = to->struct_size;
  std::memcpy(to, &value, sizeof(T));
  to->struct_size = size;
}

}  // namespace serene::c_api
