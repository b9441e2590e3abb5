// Calls and events that stand for real ones.
#pragma once

#include <string>

#include "serene/server/hub.h"
#include "temp_folder.h"

namespace serene::test {

inline CallInfo info(const std::string& id) {
  return {id, "title of " + id, "2026-01-02T03:04:05Z", "test", "model", "assumed", {"neutral", "angry"}};
}

inline std::string event(int number) { return "{\"seq\":" + std::to_string(number) + "}"; }

}  // namespace serene::test
