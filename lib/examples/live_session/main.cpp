// Listens to the customer's channel of a call and prints what it tells, as JSON lines.
//
//   live_session MODEL.safetensors CUSTOMER.wav [PLAYBOOK.json]
//
// The recording stands for a telephone line: here it is pushed in packets of 20 ms as fast as the machine can, in a
// real program each packet is pushed when it comes.
#include <serene/serene.h>

#include <algorithm>
#include <cstdio>
#include <span>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: live_session MODEL.safetensors CUSTOMER.wav [PLAYBOOK.json]\n");
    return 1;
  }
  try {
    // The model and how calls are heard. One for the whole program: any number of calls share it.
    const serene::CallModel model =
        serene::open_call_model(argv[1], {.config = "", .playbook = argc > 3 ? argv[3] : ""});

    // Called inside push and finish, in their thread, for every event of the call.
    serene::EventFunction print(
        [&](const serene::Event& event) { std::printf("%s\n", serene::event_line(event, model).c_str()); });

    const serene::Wave wave = serene::read_wave(argv[2]);
    const std::vector<float> samples = serene::to_mono(wave);
    serene::Session call(model, {.rate_hz = {wave.rate_hz, wave.rate_hz}, .agent_leg = false}, print);

    const std::size_t packet = static_cast<std::size_t>(wave.rate_hz) / 50;
    for (std::span<const float> rest = samples; !rest.empty(); rest = rest.subspan(std::min(packet, rest.size()))) {
      call.push(serene::Leg::customer, rest.first(std::min(packet, rest.size())));
    }
    call.finish();
  } catch (const serene::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
  return 0;
}
