/* The C API at work from C: what c_api_test.cpp compares with the C++ API. */
#pragma once

#include "serene/c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens the model, recognises one file, closes. */
serene_status recognize_in_c(const char* model, const char* file, double* probabilities, size_t capacity,
                             serene_recognition* result);

typedef struct {
  serene_event* events;
  size_t room, count;
} event_list;

/* One call on a model: the samples in pieces of `piece`, events by callback, or by polling where queue_events > 0. */
serene_status live_call_in_c(const serene_model* model, const float* samples, size_t count, size_t piece,
                             int32_t rate_hz, size_t queue_events, event_list* list);

#ifdef __cplusplus
}
#endif
