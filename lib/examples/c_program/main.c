/* serene from C: recognises a recording, then listens to it as to the customer of a call.
 *
 *   c_program MODEL.safetensors FILE.wav
 */
#include <math.h>
#include <serene/c_api.h>
#include <stdio.h>

static int report(const char* what) {
  fprintf(stderr, "%s: %s\n", what, serene_last_error());
  return 2;
}

static int recognise(const serene_model* model, const char* path) {
  double p[64];
  const size_t labels = serene_model_label_count(model);
  serene_recognition r = {.struct_size = sizeof r}; /* every struct begins with its own size */
  if (serene_recognize_file(model, path, p, sizeof p / sizeof *p, &r) != SERENE_OK) return report("recognise");
  printf("%s: %s\n", path, serene_model_label(model, (size_t)r.label));
  for (size_t i = 0; i < labels; ++i) printf("  %-10s %5.1f %%\n", serene_model_label(model, i), 100 * p[i]);
  return 0;
}

/* Prints what waits. */
static void print_events(serene_session* session, const serene_model* model) {
  serene_event e = {.struct_size = sizeof e};
  while (serene_session_poll(session, &e) == SERENE_OK) {
    if (e.type == SERENE_EVENT_EMOTION) {
      printf("%7.2f s  most like %s, %.0f %%\n", e.time_ms / 1000.0, serene_model_state(model, (size_t)e.top),
             100 * e.confidence);
    } else if (e.type == SERENE_EVENT_CALL && e.action == SERENE_ACTION_END) {
      printf("%7.2f s  the call is over\n", e.time_ms / 1000.0);
    }
  }
}

/* Four seconds of a made-up voice: a trembling tone. A real program pushes what comes from the line. */
static int listen(const serene_model* model) {
  enum { rate = 8000, packet = 160 };
  serene_session_options options = {.struct_size = sizeof options};
  serene_session* call = NULL;
  options.rate_hz = rate;
  if (serene_session_open(model, &options, &call) != SERENE_OK) return report("call");
  for (long at = 0; at < 4L * rate; at += packet) {
    float samples[packet];
    for (int i = 0; i < packet; ++i) {
      const double t = (double)(at + i) / rate, phase = 6.283185 * 160 * t + 2 * sin(6.283185 * 5 * t);
      samples[i] = (float)(0.2 * sin(6.283185 * 2 * t) * (sin(phase) + 0.6 * sin(3 * phase) + 0.4 * sin(5 * phase)));
    }
    if (serene_session_push(call, samples, packet, NULL) != SERENE_OK) return report("push");
    print_events(call, model);
  }
  serene_session_finish(call);
  print_events(call, model);
  serene_session_close(call);
  return 0;
}

int main(int argc, char** argv) {
  serene_model* model = NULL;
  int code;
  if (argc != 3) {
    fprintf(stderr, "usage: c_program MODEL.safetensors FILE.wav\n");
    return 1;
  }
  printf("serene %s\n", serene_version());
  if (serene_model_open(argv[1], NULL, &model) != SERENE_OK) return report("open");
  code = recognise(model, argv[2]);
  if (code == 0) code = listen(model);
  serene_model_close(model);
  return code;
}
