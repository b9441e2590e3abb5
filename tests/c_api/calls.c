#include "calls.h"

serene_status recognize_in_c(const char* model_path, const char* file, double* probabilities, size_t capacity,
                             serene_recognition* result) {
  serene_model_options options = {.struct_size = sizeof options};
  serene_model* model = NULL;
  serene_status status = serene_model_open(model_path, &options, &model);
  if (status != SERENE_OK) return status;
  status = serene_recognize_file(model, file, probabilities, capacity, result);
  serene_model_close(model);
  return status;
}

static void keep(const serene_event* event, void* user) {
  event_list* list = user;
  if (list->count < list->room) list->events[list->count] = *event;
  ++list->count;
}

static serene_status poll_all(serene_session* session, event_list* list) {
  serene_event event = {.struct_size = sizeof event};
  serene_status status;
  while ((status = serene_session_poll(session, &event)) == SERENE_OK) keep(&event, list);
  return status == SERENE_EMPTY ? SERENE_OK : status;
}

static serene_status push_all(serene_session* session, const float* samples, size_t count, event_list* list) {
  while (count > 0) {
    size_t taken = 0;
    const serene_status status = serene_session_push(session, samples, count, &taken);
    if (status == SERENE_OK) return taken == count ? SERENE_OK : SERENE_ERROR_INTERNAL;
    if (status != SERENE_FULL) return status;
    samples += taken;
    count -= taken;
    if (poll_all(session, list) != SERENE_OK) return SERENE_ERROR_INTERNAL;
  }
  return SERENE_OK;
}

serene_status live_call_in_c(const serene_model* model, const float* samples, size_t count, size_t piece,
                             int32_t rate_hz, size_t queue_events, event_list* list) {
  serene_session_options options = {.struct_size = sizeof options};
  serene_session* session = NULL;
  serene_status status;
  size_t at;
  options.rate_hz = rate_hz;
  options.queue_events = queue_events;
  if (queue_events == 0) {
    options.on_event = keep;
    options.user = list;
  }
  status = serene_session_open(model, &options, &session);
  for (at = 0; at < count && status == SERENE_OK; at += piece) {
    status = push_all(session, samples + at, count - at < piece ? count - at : piece, list);
  }
  if (status == SERENE_OK) status = serene_session_finish(session);
  if (status == SERENE_OK) status = poll_all(session, list);
  serene_session_close(session);
  return status;
}
