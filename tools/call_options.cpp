#include "call_options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "command.h"
#include "serene/core/json.h"
#include "serene/core/thread_pool.h"
#include "shipped_files.h"

namespace serene::cli {
namespace {

void describe(Arguments& args) {
  const auto text = [](const char* shown) { return cxxopts::value<std::string>()->default_value(shown); };
  const auto number = [](const char* shown) { return cxxopts::value<double>()->default_value(shown); };
  args.add("What is played")("customer-channel", "Of a stereo file: 0 or 1", cxxopts::value<int>()->default_value("0"),
                             "N")("customer-only", "The recording holds the customer alone")(
      "mic", "Listen to the microphone (stereo: customer left, agent right)")(
      "replay", "Play recorded events again, without a model; may be given several times",
      cxxopts::value<std::vector<std::string>>(),
      "EVENTS.jsonl")("speed", "1 real time, 20 twenty times faster, max", text("1"), "X")(
      "seed", "Instead of the scenario's own", cxxopts::value<std::uint64_t>(), "N")(
      "data", "Folder that holds the corpora", text("$SERENE_DATA, ../shared/data or ./data"), "DIR");
  args.add("Telephone")("telephone", "8 kHz, band-pass, mu-law")(
      "codec", "none, mulaw or alaw", cxxopts::value<std::string>(), "NAME")("band-pass", "300 to 3400 Hz")(
      "rate", "8000 or 16000", cxxopts::value<int>(), "HZ")("loss", "Share of lost packets", cxxopts::value<double>(),
                                                            "P")("burst", "Mean number of packets lost in a row",
                                                                 cxxopts::value<double>(), "N")(
      "jitter", "Mean extra delay of a packet", cxxopts::value<double>(), "MS");
  args.add("Recognition")("model", "Checkpoint or run folder",
                          text("$SERENE_MODEL or configs/pretrained/default.safetensors"),
                          "PATH")("config", "How calls are heard", text("configs/call/call.json"), "FILE")(
      "set", "Change a value of the config", cxxopts::value<std::vector<std::string>>(), "KEY=VALUE")(
      "playbook", "Rules of alerts and advice", text("configs/call/playbook.json"), "FILE")(
      "consent", "assumed, required (nothing is recognised until it is given on the agent's page) or off",
      text("assumed"), "WHAT")(
      "strain-before", "Minutes of angry calls in a row before this one; without it the history tells",
      cxxopts::value<double>(), "MIN")("threads", "Threads; each plays several calls side by side",
                                       cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.add_precision("Recognition");
  args.add("Screen")("headless", "Events as JSON lines on stdout, nothing else")("web", "Dashboard on this machine")(
      "port", "Of the dashboard; 0: any free one", cxxopts::value<int>()->default_value("8040"), "N")(
      "keep-open", "The dashboard stays after the calls until Ctrl-C (so it is on a terminal)")(
      "hold", "... or for so long", number("0"), "SECONDS")("q,quiet", "No remarks on stderr");
  args.add("What is kept")("out", "Folder of report and events; \"off\" keeps none", text("runs/calls/ID"), "DIR")(
      "no-report", "Events alone, no report")("history", "Calls kept for `serene calls`",
                                              text("~/.local/share/serene/calls.sqlite"),
                                              "FILE")("no-history", "Not in the history")(
      "keep-days", "Erase calls from the history that started longer ago; 0 keeps them for ever",
      cxxopts::value<int>()->default_value("30"),
      "DAYS")("keep-audio", "Keep the sound too, as WAV files in the folder")(
      "id", "Name of the call: letters, digits, '.', '_', '-'", cxxopts::value<std::string>(), "ID");
  args.example("serene call configs/call/scenarios/rising_anger.json");
  args.example("serene call configs/call/scenarios/*.json --web");
  args.example("serene call customer.wav agent.wav --telephone --loss 0.02 --speed max --headless");
}

double number_between(const Arguments& args, const std::string& name, double low, double high) {
  const double value = args.get<double>(name);
  if (!(value >= low && value <= high)) {
    throw Error(ErrorCode::usage, "--" + name, "out of range")
        .expected(Json(low).dump() + ".." + Json(high).dump())
        .got(Json(value).dump());
  }
  return value;
}

double speed_of(const std::string& text) {
  if (text == "max") return 0;
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !(value >= 0.1 && value <= 1000)) {
    throw Error(ErrorCode::usage, "--speed", "no speed").expected("0.1..1000 or max").got(printable(text, 40));
  }
  return value;
}

// What the positional arguments mean, by their number and their endings.
void choose_input(const Arguments& args, CallOptions& o) {
  o.files = args.positional();
  const auto wrong = [](const std::string& problem) {
    return Error(ErrorCode::usage, "serene call", problem)
        .expected(
            "scenarios (.json), CUSTOMER.wav AGENT.wav, STEREO.wav, CUSTOMER.wav --customer-only, --mic or --replay")
        .hint("see serene call --help");
  };
  const std::size_t scenarios = static_cast<std::size_t>(
      std::count_if(o.files.begin(), o.files.end(), [](const std::string& f) { return f.ends_with(".json"); }));
  if (args.has("mic") || args.has("replay")) {
    if (!o.files.empty() || (args.has("mic") && args.has("replay"))) throw wrong("one kind of call at a time");
    o.input = args.has("mic") ? CallKind::microphone : CallKind::replay;
    if (args.has("replay")) o.files = args.get<std::vector<std::string>>("replay");
  } else if (o.files.empty()) {
    throw wrong("nothing to play");
  } else if (scenarios == o.files.size()) {
    o.input = CallKind::scenarios;
  } else if (scenarios > 0 || o.files.size() > 2) {
    throw wrong("these files make no call");
  } else if (args.has("customer-only")) {
    if (o.files.size() != 1) throw wrong("--customer-only takes one recording");
    o.input = CallKind::customer_file;
  } else {
    o.input = o.files.size() == 2 ? CallKind::two_files : CallKind::stereo_file;
  }
  if (o.files.size() > 1000) throw wrong("more than 1000 calls");
  o.customer_channel = args.get<int>("customer-channel");
  if (o.customer_channel != 0 && o.customer_channel != 1) {
    throw Error(ErrorCode::usage, "--customer-channel", "no channel")
        .expected("0 or 1")
        .got(std::to_string(o.customer_channel));
  }
}

std::optional<TelephoneConfig> telephone_of(const Arguments& args, const CallOptions& o) {
  bool wanted = false;
  for (const char* name : {"telephone", "codec", "band-pass", "rate", "loss", "burst", "jitter"}) {
    wanted = wanted || args.has(name);
  }
  if (!wanted) return std::nullopt;
  TelephoneConfig t;
  if (args.has("telephone")) {
    t.band_pass = true;
    t.codec = Codec::mulaw;
  }
  if (args.has("codec")) {
    const auto name = args.get<std::string>("codec");
    if (name != "none" && name != "mulaw" && name != "alaw")
      throw Error(ErrorCode::usage, "--codec", "no codec").expected("none, mulaw or alaw").got(printable(name, 40));
    t.codec = name == "mulaw" ? Codec::mulaw : name == "alaw" ? Codec::alaw : Codec::none;
  }
  if (args.has("band-pass")) t.band_pass = true;
  if (args.has("rate")) t.rate_hz = args.get<int>("rate");
  if (args.has("loss")) t.loss = number_between(args, "loss", 0, 0.9);
  if (args.has("burst")) t.burst = number_between(args, "burst", 1, 100);
  if (args.has("jitter")) t.jitter_ms = number_between(args, "jitter", 0, 1000);
  if (o.seed) t.seed = *o.seed;
  check(t);
  return t;
}

std::string model_of(const Arguments& args) {
  return args.has("model") ? model_file(args.get<std::string>("model")) : default_model("--model");
}

void choose_recognition(const Arguments& args, CallOptions& o) {
  o.model = model_of(args);
  o.precision = precision_option(args);
  o.config = args.has("config") ? args.get<std::string>("config") : shipped_file("configs/call/call.json");
  if (args.has("set")) o.overrides = args.get<std::vector<std::string>>("set");
  std::vector<std::string> places;
  o.playbook =
      args.has("playbook") ? args.get<std::string>("playbook") : shipped_file("configs/call/playbook.json", &places);
  if (o.playbook.empty())
    throw Error(ErrorCode::not_found, "--playbook", "none is given and none is found").expected(listed(places));
}

void choose_consent(const Arguments& args, CallOptions& o) {
  o.consent = args.get<std::string>("consent");
  if (o.consent != "assumed" && o.consent != "required" && o.consent != "off") {
    throw Error(ErrorCode::usage, "--consent", "no such consent")
        .expected("assumed, required or off")
        .got(printable(o.consent, 40));
  }
  if (o.input == CallKind::microphone && !args.has("consent")) {
    throw Error(ErrorCode::usage, "--mic", "a live conversation needs a word about consent")
        .expected("--consent assumed (everybody was told and agreed), or --consent required --web");
  }
  if (o.consent == "required" && !o.web && !o.replays()) {
    throw Error(ErrorCode::usage, "--consent required", "needs the page on which consent is given").hint("add --web");
  }
}

void choose_records(const Arguments& args, CallOptions& o) {
  if (args.has("out")) o.out = args.get<std::string>("out");
  if (o.replays() && !args.has("out")) o.out = "off";
  o.report = !args.has("no-report");
  o.keep_audio = args.has("keep-audio");
  o.keep_days = args.get<int>("keep-days");
  if (o.keep_days < 0 || o.keep_days > 36500) {
    throw Error(ErrorCode::usage, "--keep-days", "out of range").expected("0..36500").got(std::to_string(o.keep_days));
  }
  if (o.keep_audio && o.out == "off")
    throw Error(ErrorCode::usage, "--keep-audio", "needs a folder").hint("give --out");
  o.keep_history = !args.has("no-history") && !o.replays();
  if (args.has("history")) o.history = args.get<std::string>("history");
  if (!args.has("id")) return;
  o.id = args.get<std::string>("id");
  const bool fits =
      !o.id.empty() && o.id.size() <= 48 && o.id[0] != '.' &&
      o.id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (!fits) {
    throw Error(ErrorCode::usage, "--id", "cannot name a call")
        .expected("up to 48 letters, digits, '.', '_', '-', not beginning with '.'")
        .got(printable(o.id, 60));
  }
}

}  // namespace

std::optional<CallOptions> call_options(int argc, char** argv) {
  Arguments args("call", "Play a call and tell how the customer feels, as it happens.",
                 "SCENARIO.json... | CUSTOMER.wav AGENT.wav | STEREO.wav | CUSTOMER.wav --customer-only | --mic | "
                 "--replay EVENTS.jsonl");
  describe(args);
  if (!args.parse(argc, argv)) return std::nullopt;
  CallOptions o;
  choose_input(args, o);
  o.headless = args.has("headless");
  o.quiet = args.quiet();
  o.web = args.has("web");
  o.port = args.get<int>("port");
  if (o.port < 0 || o.port > 65535)
    throw Error(ErrorCode::usage, "--port", "no port").expected("0..65535").got(std::to_string(o.port));
  o.hold_s = number_between(args, "hold", 0, 86400);
  o.keep_open = args.has("keep-open") || (o.web && !o.headless && o.hold_s == 0 && isatty(STDOUT_FILENO) == 1);
  o.speed = speed_of(args.get<std::string>("speed"));
  if (o.input == CallKind::microphone) o.speed = 1;
  if (args.has("seed")) o.seed = args.get<std::uint64_t>("seed");
  o.data = args.data();
  o.threads = args.threads();
  if (args.has("strain-before")) o.strain_before_min = number_between(args, "strain-before", 0, 1440);
  o.telephone = telephone_of(args, o);
  if (o.telephone && (o.input == CallKind::microphone || o.replays()))
    throw Error(ErrorCode::usage, "--telephone", "is for scenarios and recordings");
  choose_consent(args, o);
  choose_records(args, o);
  if (!o.replays()) choose_recognition(args, o);
  return o;
}

}  // namespace serene::cli
