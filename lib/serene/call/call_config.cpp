#include "serene/call/call_config.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "serene/call/event.h"

namespace serene {
namespace {

double usual_weight(const std::string& label) {
  static const std::map<std::string, double> weights = {{"angry", 1}, {"disgust", 0.8}, {"fearful", 0.7},
                                                        {"sad", 0.6}, {"boredom", 0.3}, {"surprised", 0.2}};
  const auto found = weights.find(label);
  return found == weights.end() ? 0 : found->second;
}

StateGroup group_from_json(JsonReader reader) {
  StateGroup g;
  g.name = reader.text("name");
  if (g.name.empty()) throw reader.error("name", "empty");
  g.labels = reader.texts("labels");
  if (g.labels.empty()) throw reader.error("labels", "no label");
  g.negative = reader.number_in("negative", 0, 1, 0);
  reader.finish();
  return g;
}

std::vector<StateGroup> groups_from_json(JsonReader& reader) {
  std::vector<StateGroup> groups;
  if (!reader.has("states")) return groups;
  const Json& list = reader.raw("states");
  if (!list.is_array()) {
    throw reader.error("states", "wrong type").expected("array").got(json_type(list));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = reader.path_of("states") + "[" + std::to_string(i) + "]";
    if (!list[i].is_object()) {
      throw Error(ErrorCode::input, path, "wrong type").expected("object").got(json_type(list[i]));
    }
    groups.push_back(group_from_json(JsonReader(list[i], path)));
  }
  return groups;
}

// "neutral" and "calm" are one state: a call centre treats them alike, and models confuse them most.
std::vector<StateGroup> usual_groups(const std::vector<std::string>& labels) {
  std::vector<StateGroup> groups;
  const auto neutral = [](const std::string& l) { return l == "neutral" || l == "calm"; };
  for (const std::string& label : labels) {
    const std::string name = neutral(label) ? "neutral" : label;
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const StateGroup& g) { return g.name == name; });
    if (same == groups.end()) {
      groups.push_back({name, {label}, usual_weight(label)});
    } else {
      same->labels.push_back(label);
    }
  }
  return groups;
}

std::string place(std::size_t group) { return "states[" + std::to_string(group) + "]"; }

// The config's groups with the model's labels alone; empty ones are left out.
std::vector<StateGroup> chosen_groups(const CallConfig& config, const std::vector<std::string>& labels) {
  std::vector<StateGroup> groups;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < config.states.size(); ++i) {
    StateGroup g{config.states[i].name, {}, config.states[i].negative};
    for (const std::string& label : config.states[i].labels) {
      if (!taken.insert(label).second) {
        throw Error(ErrorCode::input, place(i) + ".labels", "\"" + printable(label) + "\" stands in two places");
      }
      if (std::find(labels.begin(), labels.end(), label) != labels.end()) g.labels.push_back(label);
    }
    if (!g.labels.empty()) groups.push_back(std::move(g));
  }
  for (const std::string& label : labels) {
    if (taken.count(label) == 0) groups.push_back({label, {label}, usual_weight(label)});
  }
  return groups;
}

void model_from_json(JsonReader reader, CallConfig& c) {
  c.running_normalisation = reader.choice("normalisation", {"model", "running"}, "model") == "running";
  c.prior_s = reader.number_in("prior_s", 0.1, 3600, c.prior_s);
  reader.finish();
}

}  // namespace

CallConfig call_config_from_json(JsonReader& reader) {
  CallConfig c;
  c.window_s = reader.number_in("window_s", 0.2, 30, c.window_s);
  c.hop_s = reader.number_in("hop_s", 0.02, 30, c.hop_s);
  c.min_window_s = reader.number_in("min_window_s", 0.1, c.window_s, std::min(c.min_window_s, c.window_s));
  c.smoothing_s = reader.number_in("smoothing_s", 0, 60, c.smoothing_s);
  c.uncertain_below = reader.number_in("uncertain_below", 0, 1, c.uncertain_below);
  c.certain_above =
      reader.number_in("certain_above", c.uncertain_below, 1, std::max(c.certain_above, c.uncertain_below));
  c.switch_margin = reader.number_in("switch_margin", 0, 1, c.switch_margin);
  c.switch_windows = static_cast<int>(reader.integer_in("switch_windows", 1, 100, c.switch_windows));
  c.no_speech_after_s = reader.number_in("no_speech_after_s", 0.5, 3600, c.no_speech_after_s);
  c.silence_after_s = reader.number_in("silence_after_s", 0.1, 3600, c.silence_after_s);
  c.overlap_after_s = reader.number_in("overlap_after_s", 0.02, 60, c.overlap_after_s);
  c.trend_s = reader.number_in("trend_s", 1, 600, c.trend_s);
  c.trend_rising = reader.number_in("trend_rising", 0.001, 100, c.trend_rising);
  c.quality_every_s = reader.number_in("quality_every_s", 0.1, 60, c.quality_every_s);
  c.max_skew_s = reader.number_in("max_skew_s", 0.1, 300, c.max_skew_s);
  if (reader.has("model")) model_from_json(reader.object("model"), c);
  if (reader.has("voice_activity")) {
    JsonReader voice = reader.object("voice_activity");
    c.voice_activity = voice_activity_from_json(voice);
  }
  c.states = groups_from_json(reader);
  reader.finish();
  return c;
}

Json to_json(const CallConfig& c) {
  Json states = Json::array();
  for (const StateGroup& g : c.states) {
    states.push_back({{"name", g.name}, {"labels", g.labels}, {"negative", g.negative}});
  }
  return {{"window_s", c.window_s},
          {"hop_s", c.hop_s},
          {"min_window_s", c.min_window_s},
          {"smoothing_s", c.smoothing_s},
          {"uncertain_below", c.uncertain_below},
          {"certain_above", c.certain_above},
          {"switch_margin", c.switch_margin},
          {"switch_windows", c.switch_windows},
          {"no_speech_after_s", c.no_speech_after_s},
          {"silence_after_s", c.silence_after_s},
          {"overlap_after_s", c.overlap_after_s},
          {"trend_s", c.trend_s},
          {"trend_rising", c.trend_rising},
          {"quality_every_s", c.quality_every_s},
          {"max_skew_s", c.max_skew_s},
          {"model", {{"normalisation", c.running_normalisation ? "running" : "model"}, {"prior_s", c.prior_s}}},
          {"voice_activity", to_json(c.voice_activity)},
          {"states", std::move(states)}};
}

std::vector<StateGroup> resolve_states(const CallConfig& config, const std::vector<std::string>& labels) {
  std::vector<StateGroup> groups = config.states.empty() ? usual_groups(labels) : chosen_groups(config, labels);
  std::set<std::string> names = {"uncertain", "no_speech"};
  for (const StateGroup& g : groups) {
    if (!names.insert(g.name).second) {
      throw Error(ErrorCode::input, "states", "the name \"" + printable(g.name) + "\" is taken");
    }
  }
  if (groups.size() > static_cast<std::size_t>(max_states)) {
    throw Error(ErrorCode::input, "states", "too many")
        .expected("at most " + std::to_string(max_states))
        .got(std::to_string(groups.size()));
  }
  return groups;
}

}  // namespace serene
