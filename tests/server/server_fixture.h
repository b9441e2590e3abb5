// Calls and events that stand for real ones.
#pragma once

#include <string>

#include "serene/core/error.h"
#include "serene/server/hub.h"

namespace serene::test {

inline CallInfo info(const std::string& id) {
  return {id, "title of " + id, "2026-01-02T03:04:05Z", "test", "model", "assumed", {"neutral", "angry"}};
}

inline std::string event(int number) { return "{\"seq\":" + std::to_string(number) + "}"; }

// What an Error says, "" when nothing is thrown.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace serene::test
