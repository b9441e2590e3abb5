// What every consumer project builds: a program that opens a model, recognises a file and listens to it as to a call.
#include <serene/serene.h>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  try {
    const serene::CallModel model = serene::open_call_model(argv[1]);
    const serene::Recognition r = model.recognizer().recognize_file(argv[2]);
    int events = 0;
    serene::EventFunction count([&](const serene::Event&) { ++events; });
    serene::Session call(model, {.rate_hz = {16000, 16000}, .agent_leg = false}, count);
    call.push(serene::Leg::customer, serene::load_mono(argv[2], 16000));
    call.finish();
    std::printf("%s %s %.6f %d\n", SERENE_VERSION,
                model.recognizer().labels()[static_cast<std::size_t>(r.label)].c_str(),
                r.probabilities[static_cast<std::size_t>(r.label)], events);
  } catch (const serene::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
  try {
    serene::Recognizer::open("no such file");
  } catch (const serene::Error& e) {  // thrown in the library, caught here: its type must be the same on both sides
    return e.code() == serene::ErrorCode::not_found && std::strstr(e.what(), "no such file") != nullptr ? 0 : 3;
  }
  return 3;
}
