// serene call: plays calls and tells how the customers feel, as it happens.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "call_clips.h"
#include "call_options.h"
#include "call_recorder.h"
#include "call_replay.h"
#include "command.h"
#include "microphone.h"
#include "serene/audio/wave.h"
#include "serene/train/run_config.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

// For the person at the screen; the customer hears the notice of configs/call/notice.md before the call.
constexpr const char* kNotice =
    "AI notice: an estimate of how the customer's voice sounds; it can be wrong and judges nobody.";

std::atomic<bool> stop_calls{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// The first signal ends the calls in order; a second one ends the program.
void on_signal(int signal) {
  stop_calls = true;
  std::signal(signal, SIG_DFL);
}

// Letters, digits and '_' of a title: part of a name.
std::string slug(const std::string& title) {
  std::string text;
  for (const char c : title) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (plain) text += low;
    if (!plain && !text.empty() && text.back() != '_') text += '_';
    if (text.size() == 32) break;
  }
  while (!text.empty() && text.back() == '_') text.pop_back();
  return text.empty() ? "call" : text;
}

CallConfig config_of(const CallOptions& o) {
  Json json = o.config.empty() ? Json::object() : read_json_file(o.config, 1u << 20);
  for (const std::string& assignment : o.overrides) apply_override(json, assignment);
  return with_context(o.config.empty() ? "--set" : printable(o.config, 500), [&] {
    JsonReader reader(json, "");
    return call_config_from_json(reader);
  });
}

CallModel model_of(const CallOptions& o) {
  Playbook playbook = read_playbook(o.playbook);
  CallConfig config = config_of(o);
  return CallModel(Recognizer::open(o.model, o.precision), std::move(config), std::move(playbook));
}

// All calls of one run of the program.
class CallRun {
 public:
  explicit CallRun(const CallOptions& options) : options_(options) {
    if (!options_.replays()) model_.emplace(model_of(options_));
    if (options_.web) url_ = station_.open_dashboard(options_.port);
    if (options_.keep_history) station_.open_history(options_.history, options_.keep_days);
    strain_before_min_ =
        options_.strain_before_min.value_or(model_ ? station_.strain_before_min(model_->playbook()) : 0);
    calls_ = options_.input == CallKind::scenarios || options_.replays() ? options_.files.size() : 1;
    ViewOptions view = usual_view(options_.headless);
    view.several = calls_ > 1;
    view.notice = kNotice;
    view.on_failure = [] { stop_calls = true; };
    view_ = make_view(std::move(view));
    latencies_.resize(calls_);
    if (model_ && !options_.quiet) {
      for (const std::string& rule : sleeping_rules(model_->playbook(), model_->state_names()))
        view_->remark("playbook: " + rule + " never rises: the model has none of its states");
    }
    if (options_.input == CallKind::scenarios) voices_ = make_voices();
    choose_ids();
  }

  // Exit code: 0, or 2 when a call could not be played or kept.
  int play() {
    if (!url_.empty()) view_->remark("dashboard: " + url_);
    if (options_.headless && !options_.quiet) view_->remark(kNotice);
    options_.replays() ? play_replays() : play_groups();
    view_->finish();
    const LatencyFigures latency = LatencyMeter::all(latencies_);
    if (!options_.quiet && latency.windows > 0) remark(LatencyMeter::text(latency));
    stay_open();
    if (const std::string why = view_->failure(); !why.empty()) {
      remark("serene: " + why);
      return 2;
    }
    return failed_ ? 2 : 0;
  }

 private:
  void play_replays() {
    const bool waits = options_.speed > 0;
    const std::size_t workers = waits ? calls_ : std::min(calls_, static_cast<std::size_t>(options_.threads));
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < workers; ++w) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < calls_ && !stop_calls; i = next++) guarded(i, [&] { play_recorded(i); });
      });
    }
    for (std::thread& t : threads) t.join();
  }

  // Each thread plays several calls side by side: in real time all at once, else so many that their sound fits into
  // memory.
  void play_groups() {
    constexpr std::size_t kMostAtOnce = 16;
    const std::size_t workers = std::min(calls_, static_cast<std::size_t>(options_.threads));
    const std::size_t share = (calls_ + workers - 1) / workers;
    const std::size_t size = options_.speed > 0 ? share : std::min(share, kMostAtOnce);
    const std::size_t groups = (calls_ + size - 1) / size;
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < workers; ++w) {
      threads.emplace_back([&] {
        for (std::size_t g = next++; g < groups && !stop_calls; g = next++) {
          play_group(g * size, std::min((g + 1) * size, calls_));
        }
      });
    }
    for (std::thread& t : threads) t.join();
  }

  std::shared_ptr<CorpusVoices> make_voices() {
    CorpusVoicesOptions voices;
    voices.data = options_.data;
    voices.notes = model_->recognizer().notes();
    if (!options_.quiet) voices.remark = [this](const std::string& line) { view_->remark(line); };
    return std::make_shared<CorpusVoices>(std::move(voices));
  }

  void choose_ids() {
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    started_at_ = utc_text(now);
    std::string stamp;  // 20261123-142310
    for (const char c : started_at_) {
      if (c >= '0' && c <= '9') stamp += c;
      if (c == 'T') stamp += '-';
    }
    for (std::size_t i = 0; i < calls_; ++i) {
      const bool file = i < options_.files.size();
      std::string id = options_.id;
      if (id.empty()) id = stamp + "-" + slug(file ? fs::path(options_.files[i]).stem().string() : "microphone");
      if (!options_.id.empty() && calls_ > 1) id += "-" + std::to_string(i + 1);
      std::string free = id;
      for (int n = 2; taken(free); ++n) free = id + "-" + std::to_string(n);
      ids_.push_back(free);
    }
  }

  // A name given by the user is used even where a folder of that name stands; the history refuses one that it has.
  bool taken(const std::string& id) {
    std::error_code unseen;
    if (std::find(ids_.begin(), ids_.end(), id) != ids_.end()) return true;
    if (!options_.id.empty()) return false;
    return station_.has_record(id) || (options_.out.empty() && fs::exists("runs/calls/" + id, unseen));
  }

  std::string folder_of(std::size_t i) const {
    if (options_.out == "off") return "";
    if (options_.out.empty()) return "runs/calls/" + ids_[i];
    return calls_ == 1 ? options_.out : options_.out + "/" + ids_[i];
  }

  // A call that fails is a remark and an exit code; the others go on.
  template <class F>
  void guarded(std::size_t i, F&& part) {
    std::string problem;
    try {
      part();
      return;
    } catch (const Error& e) {
      problem = e.what();
    } catch (const std::bad_alloc&) {
      problem = "out of memory";
    } catch (const std::exception& e) {
      problem = printable(e.what(), 300);
    }
    failed_ = true;
    view_->remark("serene: " + (calls_ > 1 ? "call " + ids_[i] + ": " : std::string()) + problem);
  }

  CallHeader header_of(std::size_t i, const std::string& title, const std::string& source) const {
    CallHeader header{i, ids_[i], title, started_at_, source, "", options_.consent, {}};
    if (!model_) return header;
    const auto& notes = model_->recognizer().notes();
    const auto name = notes.find("name");
    header.model =
        name != notes.end() && !name->second.empty() ? name->second : fs::path(options_.model).filename().string();
    header.states = model_->state_names();
    return header;
  }

  RecorderTargets targets_of(std::size_t i) { return {view_.get(), &station_, folder_of(i), options_.report}; }

  CallAudio load(std::size_t i) {
    const auto& files = options_.files;
    CallAudio audio;
    if (options_.input == CallKind::scenarios) {
      Scenario scenario = read_scenario(files[i]);
      if (options_.seed) scenario.seed = *options_.seed;
      if (options_.telephone) scenario.telephone = options_.telephone;
      const std::string name = calls_ > 1 ? ids_[i] + ": " : "";
      std::function<void(const std::string&)> remark;
      if (!options_.quiet) remark = [this, name](const std::string& line) { view_->remark(name + line); };
      CallClips source(voices_, std::move(remark));
      return with_context(printable(files[i], 500), [&] { return render(scenario, source); });
    }
    if (options_.input == CallKind::two_files) audio = read_call(files[0], files[1]);
    if (options_.input == CallKind::stereo_file) audio = read_stereo_call(files[0], options_.customer_channel);
    if (options_.input == CallKind::customer_file) audio = read_customer_call(files[0]);
    if (options_.telephone) apply(audio, *options_.telephone);
    return audio;
  }

  std::string source_of(std::size_t i) const {
    if (options_.input == CallKind::microphone) return "microphone";
    if (options_.input == CallKind::scenarios) return "scenario " + fs::path(options_.files[i]).filename().string();
    std::string text = "recording";
    for (const std::string& file : options_.files) text += " " + fs::path(file).filename().string();
    return printable(text, 200);
  }

  PlayOptions play_options() const {
    PlayOptions p;
    p.speed = options_.speed;
    p.consent = options_.consent == "assumed";
    p.consent_may_change = options_.consent != "off";
    p.strain_before_min = strain_before_min_;
    return p;
  }

  // A call ready to be played, with everything that it needs.
  struct OpenCall {
    std::size_t place = 0;
    CallAudio audio;
    std::unique_ptr<CallFeed> feed;
    const Microphone* microphone = nullptr;
    std::unique_ptr<CallRecorder> recorder;
  };

  std::unique_ptr<OpenCall> open_call(std::size_t i) {
    auto call = std::make_unique<OpenCall>();
    call->place = i;
    CallAudio& audio = call->audio;
    if (options_.input == CallKind::microphone) {
      auto opened = std::make_unique<Microphone>(options_.keep_audio);
      call->microphone = opened.get();
      call->feed = std::move(opened);
      audio.title = "Microphone";
    } else {
      audio = load(i);
      call->feed = std::make_unique<RecordedFeed>(audio, audio.agent_leg);
    }
    const std::string title = audio.title.empty() ? fs::path(options_.files[i]).stem().string() : audio.title;
    call->recorder = std::make_unique<CallRecorder>(header_of(i, printable(title, 200), source_of(i)),
                                                    simulated() ? truth_to_json(audio) : Json(), targets_of(i));
    if (call->microphone == nullptr) call->recorder->offer_sound(audio);
    return call;
  }

  void close_call(const OpenCall& call) {
    const std::size_t i = call.place;
    call.recorder->finish(latencies_[i].figures(), simulated() ? &call.audio : nullptr, model_->states());
    if (call.recorder->failed()) failed_ = true;
    if (options_.keep_audio)
      keep_audio(call.microphone != nullptr ? call.microphone->recorded() : call.audio, folder_of(i));
  }

  void play_group(std::size_t first, std::size_t last) {
    std::vector<std::unique_ptr<OpenCall>> open;
    for (std::size_t i = first; i < last && !stop_calls; ++i) guarded(i, [&] { open.push_back(open_call(i)); });
    std::vector<PlayedCall> played;
    for (const auto& call : open) played.push_back({call->feed.get(), call->recorder.get(), play_options(), {}, {}});
    play_calls(*model_, played, stop_calls);
    for (std::size_t k = 0; k < open.size(); ++k) {
      const std::size_t i = open[k]->place;
      latencies_[i] = played[k].latency;
      guarded(i, [&] {
        if (played[k].problem) std::rethrow_exception(played[k].problem);
        close_call(*open[k]);
      });
      open[k].reset();
    }
  }

  bool simulated() const { return options_.input == CallKind::scenarios; }

  static void keep_audio(const CallAudio& audio, const std::string& folder) {
    write_wave16(folder + "/customer.wav", audio.leg(Leg::customer), audio.rate_hz[0]);
    if (audio.agent_leg) write_wave16(folder + "/agent.wav", audio.leg(Leg::agent), audio.rate_hz[1]);
  }

  void play_recorded(std::size_t i) {
    const std::string& file = options_.files[i];
    const auto events = read_replay(file);
    CallHeader header = header_of(i, fs::path(file).parent_path().filename().string() + " (replay)", "recorded events");
    header.model = text_in(events[0].event, "model", 100);
    const auto states = events[0].event.find("states");
    if (states != events[0].event.end() && states->is_array()) {
      for (const Json& state : *states) {
        if (state.is_string() && header.states.size() < max_states)
          header.states.push_back(printable(state.get<std::string>(), 24));
      }
    }
    CallRecorder recorder(header, Json(), targets_of(i));
    play_replay(events, recorder, play_options(), stop_calls);
    recorder.finish({}, nullptr, {});
    if (recorder.failed()) failed_ = true;
  }

  // The dashboard outlives the calls, until somebody says otherwise.
  void stay_open() {
    if (url_.empty() || stop_calls || (!options_.keep_open && options_.hold_s == 0)) return;
    if (!options_.quiet)
      remark("the calls are over; the dashboard stays at " + url_ + (options_.keep_open ? " until Ctrl-C" : ""));
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int>(1000 * options_.hold_s));
    while (!stop_calls && (options_.keep_open || std::chrono::steady_clock::now() < until)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  const CallOptions options_;
  std::optional<CallModel> model_;
  CallStation station_;
  std::string url_, started_at_;
  double strain_before_min_ = 0;  // one value: calls of one command do not follow each other
  std::size_t calls_ = 0;
  std::unique_ptr<CallView> view_;
  std::shared_ptr<CorpusVoices> voices_;
  std::vector<std::string> ids_;
  std::vector<LatencyMeter> latencies_;
  std::atomic<bool> failed_{false};
};

}  // namespace

int call_command(int argc, char** argv) {
  const auto options = call_options(argc, argv);
  if (!options) return 0;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
  CallRun run(*options);
  return run.play();
}

}  // namespace serene::cli
