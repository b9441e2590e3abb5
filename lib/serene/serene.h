// The C++ face of serene for programs that recognise recordings and listen to live calls.
//
//   const serene::CallModel model = serene::open_call_model("model.safetensors");
//   const serene::Recognition r = model.recognizer().recognize_file("clip.wav");     // a recording
//
//   serene::EventFunction print([&](const serene::Event& event) {                    // a live call
//     std::puts(serene::event_line(event, model).c_str());
//   });
//   serene::Session call(model, {.rate_hz = {8000, 8000}, .agent_leg = false}, print);
//   while (const std::span<const float> block = next_block(); !block.empty()) call.push(serene::Leg::customer, block);
//   call.finish();
//
// What this header declares is what libserene.so exports, beside the C API (c_api.h). Training, layers and corpora have
// headers of their own (serene/train/experiment.h, serene/nn/layer.h, serene/data/dataset.h) and come with the static
// library.
#pragma once

#include <string>
#include <utility>

#include "serene/audio/resample.h"
#include "serene/audio/wave.h"
#include "serene/call/call_model.h"
#include "serene/call/emotion_batch.h"
#include "serene/call/event.h"
#include "serene/call/recognizer.h"
#include "serene/call/session.h"
#include "serene/core/error.h"
#include "serene/version.h"

namespace serene {

// Files of how a call is heard and of its alerts and advice, as in configs/call/. "": the usual values, no playbook.
struct CallFiles {
  std::string config, playbook;
};

// Reads a model and how its calls are heard. Throws Error as Recognizer::open, call_config_from_json, read_playbook and
// CallModel do; what is wrong with a file begins with its path.
CallModel open_call_model(const std::string& model, const CallFiles& files = {}, Precision precision = Precision::full);
// The same for a model that is open already; the two share its weights.
CallModel call_model_of(const Recognizer& recognizer, const CallFiles& files = {});

// Any callable of an Event as an EventSink. It runs inside push and finish of its session and must not throw.
template <class F>
class EventFunction final : public EventSink {
 public:
  explicit EventFunction(F function) : function_(std::move(function)) {}     // copied
  void on_event(const Event& event) noexcept override { function_(event); }  // calls it

 private:
  F function_;
};

}  // namespace serene
