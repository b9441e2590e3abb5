// serene from C, and from any language that can call C: recognise recordings, listen to the customer in a live call.
//
//   serene_model* model = NULL;
//   if (serene_model_open("model.safetensors", NULL, &model) != SERENE_OK) puts(serene_last_error());
//   double probabilities[8];
//   serene_recognize_file(model, "clip.wav", probabilities, serene_model_label_count(model), NULL);
//   serene_model_close(model);
//
// Errors. Functions return a status and change no result unless it is SERENE_OK (SERENE_FULL and SERENE_EMPTY, which
// are no errors, say what they leave). serene_last_error() tells more, in one line. NULL where something is needed, a
// count that is too small, a handle used by two threads at once or from inside its own callback: all of it is
// SERENE_ERROR_USAGE. A handle that was closed must not be used any more. No exception leaves a function.
//
// Threads. A model is immutable: any number of threads and sessions use one at the same time. A session belongs to one
// thread at a time. Models and sessions may be closed in any order.
//
// Growth. Every struct begins with struct_size, which the caller sets: serene_event e = {.struct_size = sizeof e}.
// Fields are only added, at the end. So a program runs with a newer library without being compiled again. Zero is the
// usual value of every option. Functions and numbers keep their meaning while SERENE_VERSION_MAJOR stays, from 1 on.
//
// Strings are UTF-8 and end in 0. Those that the library returns belong to it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "serene/version.h"

#ifdef __cplusplus
extern "C" {
#endif

// The version of the library that runs, as SERENE_VERSION_NUMBER and SERENE_VERSION were when it was built.
int32_t serene_version_number(void);
const char* serene_version(void);

// What a function returns: one of the following.
typedef int32_t serene_status;
enum {
  SERENE_OK = 0,
  SERENE_FULL = 1,              // of push: the queue of events has no room; poll, then go on
  SERENE_EMPTY = 2,             // of poll: no event waits
  SERENE_ERROR_USAGE = -1,      // the call itself is wrong
  SERENE_ERROR_INPUT = -2,      // a file, a config or a value is broken
  SERENE_ERROR_NOT_FOUND = -3,  // a file or a key is missing
  SERENE_ERROR_OUT_OF_MEMORY = -4,
  SERENE_ERROR_INTERNAL = -5  // a fault of serene itself
};

// What went wrong in the last function of this thread that returned an error, "" before the first. Stays until the next
// error of this thread.
const char* serene_last_error(void);

// ---- models ----

// A model, opened and immutable.
typedef struct serene_model serene_model;

enum { SERENE_PRECISION_FULL = 0, SERENE_PRECISION_BF16 = 1, SERENE_PRECISION_INT8 = 2 };

typedef struct serene_model_options {
  size_t struct_size;
  int32_t precision;        // of the model's products: SERENE_PRECISION_...
  int32_t reserved;         // 0
  const char* call_config;  // JSON file: how calls are heard (configs/call/README.md); NULL: the usual values
  const char* playbook;     // JSON file: rules of alerts and advice; NULL: none
} serene_model_options;

// Reads a model (.safetensors) of serene. options may be NULL. A config or playbook that is broken, or does not fit the
// model, is an error.
serene_status serene_model_open(const char* path, const serene_model_options* options, serene_model** model);
// Sessions of the model go on. NULL is allowed.
void serene_model_close(serene_model* model);

// Labels are what a recording is recognised as, states what a call tells: labels grouped by the call config. Counts are
// 0 and names NULL for a model of NULL or a place out of range; a model whose features cannot be computed live has no
// states. Names stay until the model is closed.
size_t serene_model_label_count(const serene_model* model);
const char* serene_model_label(const serene_model* model, size_t place);
size_t serene_model_state_count(const serene_model* model);
const char* serene_model_state(const serene_model* model, size_t place);

// ---- recordings ----

typedef struct serene_recognition {
  size_t struct_size;
  int32_t label;       // place of the most probable label
  int32_t uncertain;   // 1: its probability is below the model's threshold
  double probability;  // of that label
  int64_t frames;      // feature frames of the recording
} serene_recognition;

// Any file that libsndfile reads, at any rate and channel count. probabilities takes one value for each label; capacity
// says how many fit. probabilities and result may be NULL. Thread-safe.
serene_status serene_recognize_file(const serene_model* model, const char* path, double* probabilities, size_t capacity,
                                    serene_recognition* result);
// Mono samples, full scale 1, at rate_hz (1000 to 768000); the answer is that for a file of these samples. A sample
// that is not finite is an error.
serene_status serene_recognize_samples(const serene_model* model, const float* samples, size_t count, int32_t rate_hz,
                                       double* probabilities, size_t capacity, serene_recognition* result);

// ---- live calls ----

// A live call.
typedef struct serene_session serene_session;

enum { SERENE_MOST_STATES = 16, SERENE_STATE_NO_SPEECH = -1, SERENE_STATE_UNCERTAIN = -2 };

// What an event tells: one of the following.
typedef int32_t serene_event_type;
enum {
  SERENE_EVENT_CALL = 0,     // action start, end
  SERENE_EVENT_SPEECH = 1,   // start, stop of the customer's speech, at at_ms
  SERENE_EVENT_SILENCE = 3,  // start, stop (with duration_ms)
  SERENE_EVENT_EMOTION = 4,  // a window of speech was heard: state, top, confidence, probabilities, window, ...
  SERENE_EVENT_STATE = 5,    // the state changed: state, previous, top, confidence
  SERENE_EVENT_TREND = 6,    // direction, negative, slope_per_min
  SERENE_EVENT_ALERT = 7,    // raised, escalated, acknowledged, cleared: alert, rule, text, value, duration_ms, ...
  SERENE_EVENT_ADVICE = 8,   // shown, withdrawn: rule, text, value, duration_ms
  SERENE_EVENT_QUALITY = 9,  // lamp, level_dbfs, snr_db, clipping, loss, band_limited
  SERENE_EVENT_CONSENT = 10  // given, withdrawn
};

// What has happened to it: one of the following.
typedef int32_t serene_event_action;
enum {
  SERENE_ACTION_NONE = 0,
  SERENE_ACTION_START = 1,
  SERENE_ACTION_STOP = 2,
  SERENE_ACTION_END = 3,
  SERENE_ACTION_RAISED = 4,
  SERENE_ACTION_ESCALATED = 5,
  SERENE_ACTION_ACKNOWLEDGED = 6,
  SERENE_ACTION_CLEARED = 7,
  SERENE_ACTION_SHOWN = 8,
  SERENE_ACTION_WITHDRAWN = 9,
  SERENE_ACTION_GIVEN = 10
};

enum { SERENE_DIRECTION_STEADY = 0, SERENE_DIRECTION_RISING = 1, SERENE_DIRECTION_FALLING = 2 };
enum { SERENE_LAMP_GOOD = 0, SERENE_LAMP_FAIR = 1, SERENE_LAMP_POOR = 2 };

// Times are milliseconds of call audio. Fields that a type does not use are 0, texts "".
typedef struct serene_event {
  size_t struct_size;
  int64_t sequence;  // 0, 1, 2, ... within the call
  int64_t time_ms;   // when the fact is known; never falls from one event to the next
  int64_t at_ms;     // the moment it speaks of
  int64_t duration_ms;
  serene_event_type type;
  serene_event_action action;

  int32_t state, previous;  // places of states, or SERENE_STATE_...
  int32_t top;              // place of the most probable state
  int32_t state_count;
  double confidence;                         // smoothed probability of top
  double probabilities[SERENE_MOST_STATES];  // smoothed; the first state_count
  double window[SERENE_MOST_STATES];         // of this window alone
  int64_t window_ms, speech_ms;              // length of the window; the customer's speech heard so far

  int32_t direction;  // SERENE_DIRECTION_...
  int32_t supervisor;
  double negative;       // 0..1: weighted share of the unpleasant states
  double slope_per_min;  // change of it per minute of speech
  int64_t alert;         // number of the alert within the call, from 1
  double value;          // of the rule's signal
  const char* rule;      // of the playbook; these two stay until the session is closed
  const char* text;      // what the alert or advice says

  int32_t lamp;          // SERENE_LAMP_...
  int32_t band_limited;  // 1: sounds like a telephone
  double level_dbfs, snr_db;
  double clipping, loss;  // shares of the samples
} serene_event;

// Runs inside push and finish of its session, in their thread; may not use the session. The event is valid during the
// call.
typedef void (*serene_event_callback)(const serene_event* event, void* user);

typedef struct serene_session_options {
  size_t struct_size;
  int32_t rate_hz;                 // 8000 to 192000, a multiple of 50; 0: 16000
  int32_t without_consent;         // 1: nothing is recognised until serene_session_set_consent(session, 1)
  serene_event_callback on_event;  // NULL: events wait in a queue for serene_session_poll
  void* user;                      // given to on_event
  size_t queue_events;             // room of the queue; 0: 512
} serene_session_options;

// The customer's channel of one call. options may be NULL. The event call/start comes at once.
serene_status serene_session_open(const serene_model* model, const serene_session_options* options,
                                  serene_session** session);
// Mono samples at the session's rate, full scale 1, in pieces of any size: events depend on the samples alone, not on
// the pieces. Nothing allocates, locks or calls the system. A sample that is not finite counts as 0. With a queue:
// SERENE_FULL when it had no room before all samples were taken; the first *taken are in. taken may be NULL.
serene_status serene_session_push(serene_session* session, const float* samples, size_t count, size_t* taken);
// So many samples (an hour of them at most) were lost on the way: silence in their place, counted as loss. Results as
// of push.
serene_status serene_session_lose(serene_session* session, size_t count, size_t* taken);
// The oldest event that waits, or SERENE_EMPTY. event->struct_size must be set.
serene_status serene_session_poll(serene_session* session, serene_event* event);
// The customer agrees (1) or objects (0) to the recognition of emotion. Takes effect with the next 20 ms of sound.
serene_status serene_session_set_consent(serene_session* session, int32_t given);
// Someone has seen the alert of this number.
serene_status serene_session_acknowledge(serene_session* session, int64_t alert);
// The call is over: open stretches stop, call/end comes last. Afterwards nothing is taken, events can be polled still.
serene_status serene_session_finish(serene_session* session);
// Without finish the last events never come. NULL is allowed. SERENE_ERROR_USAGE, and nothing is closed, while another
// function of the session runs.
serene_status serene_session_close(serene_session* session);

#ifdef __cplusplus
}
#endif
