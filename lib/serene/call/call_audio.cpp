#include "serene/call/call_audio.h"

#include <algorithm>
#include <filesystem>

#include "serene/audio/resample.h"
#include "serene/audio/wave.h"

namespace serene {
namespace {

std::string title_of(const std::string& file) { return printable(std::filesystem::path(file).filename().string(), 80); }

// The rate a session can cut into blocks of 20 ms: the file's own when it is one, or the next usual one above.
int session_rate(int rate_hz) {
  if (rate_hz < 8000) return 8000;
  if (rate_hz % 50 == 0 && rate_hz <= 192000) return rate_hz;
  for (const int usual : {16000, 32000, 48000, 96000}) {
    if (rate_hz <= usual) return usual;
  }
  return 192000;
}

// Brings one leg to a rate and range that a session takes.
void set_leg(CallAudio& call, Leg leg, std::vector<float> samples, int rate_hz) {
  const auto at = static_cast<std::size_t>(leg);
  call.rate_hz[at] = session_rate(rate_hz);
  call.samples[at] = call.rate_hz[at] == rate_hz ? std::move(samples) : resample(samples, rate_hz, call.rate_hz[at]);
  for (float& x : call.samples[at]) x = std::clamp(x, -1.0f, 1.0f);
}

Wave read_single(const std::string& file) {
  Wave wave = read_wave(file);
  if (wave.channels != 1) {
    throw Error(ErrorCode::input, file, "more than one channel in the recording of one speaker")
        .expected("1 channel")
        .got(std::to_string(wave.channels))
        .hint("a file with both speakers, one per channel, is given alone");
  }
  return wave;
}

[[noreturn]] void refuse_mixed(const std::string& file, const std::string& problem) {
  throw Error(ErrorCode::usage, file, problem)
      .expected("two channels, one per speaker")
      .hint("give one file per speaker, or say that only the customer is in it (--customer-only)");
}

}  // namespace

std::int64_t CallAudio::duration_ms() const noexcept {
  std::int64_t longest = 0;
  for (std::size_t leg = 0; leg < samples.size(); ++leg) {
    const auto n = static_cast<std::int64_t>(samples[leg].size());
    longest = std::max(longest, (n * 1000 + rate_hz[leg] - 1) / rate_hz[leg]);
  }
  return longest;
}

CallAudio read_call(const std::string& customer_file, const std::string& agent_file) {
  CallAudio call;
  call.title = title_of(customer_file) + " and " + title_of(agent_file);
  Wave customer = read_single(customer_file), agent = read_single(agent_file);
  set_leg(call, Leg::customer, std::move(customer.samples), customer.rate_hz);
  set_leg(call, Leg::agent, std::move(agent.samples), agent.rate_hz);
  return call;
}

CallAudio read_stereo_call(const std::string& file, int customer_channel) {
  if (customer_channel != 0 && customer_channel != 1) {
    throw Error(ErrorCode::usage, "customer channel", "out of range")
        .expected("0 (left) or 1 (right)")
        .got(std::to_string(customer_channel));
  }
  const Wave wave = read_wave(file);
  if (wave.channels == 1) refuse_mixed(file, "one channel: both voices are mixed and cannot be told apart");
  if (wave.channels > 2) refuse_mixed(file, "which of " + std::to_string(wave.channels) + " channels speak is unknown");
  std::array<std::vector<float>, 2> channels;
  for (std::size_t c = 0; c < 2; ++c) {
    channels[c].reserve(static_cast<std::size_t>(wave.frames()));
    for (std::size_t i = c; i < wave.samples.size(); i += 2) channels[c].push_back(wave.samples[i]);
  }
  if (channels[0] == channels[1]) refuse_mixed(file, "both channels are equal: the voices are mixed");
  CallAudio call;
  call.title = title_of(file);
  const auto customer = static_cast<std::size_t>(customer_channel);
  set_leg(call, Leg::customer, std::move(channels[customer]), wave.rate_hz);
  set_leg(call, Leg::agent, std::move(channels[1 - customer]), wave.rate_hz);
  return call;
}

CallAudio read_customer_call(const std::string& file) {
  Wave wave = read_single(file);
  CallAudio call;
  call.title = title_of(file);
  call.agent_leg = false;
  set_leg(call, Leg::customer, std::move(wave.samples), wave.rate_hz);
  call.rate_hz[1] = call.rate_hz[0];
  return call;
}

void apply(CallAudio& call, const TelephoneConfig& config) {
  if (!call.lost.empty()) throw Error(ErrorCode::usage, "telephone", "the call has been over a line with loss already");
  for (std::size_t leg = 0; leg < call.samples.size(); ++leg) {
    LineAudio line = over_telephone(call.samples[leg], call.rate_hz[leg], config, leg);
    for (float& x : line.samples) x = std::clamp(x, -1.0f, 1.0f);  // a filter may overshoot
    call.samples[leg] = std::move(line.samples);
    call.rate_hz[leg] = line.rate_hz;
    for (const LostRun& lost : line.lost) {
      call.lost.push_back({static_cast<Leg>(leg), lost.begin, lost.end - lost.begin});
    }
  }
}

Json truth_to_json(const CallAudio& call) {
  Json list = Json::array();
  for (const TruthPiece& piece : call.truth) {
    Json item{{"leg", leg_name(piece.leg)}, {"start_ms", piece.start_ms}, {"end_ms", piece.end_ms}};
    if (!piece.emotion.empty()) item["emotion"] = piece.emotion;
    if (!piece.clip.empty()) item["clip"] = piece.clip;
    if (!piece.text.empty()) item["text"] = piece.text;
    item["turn"] = piece.turn;
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace serene
