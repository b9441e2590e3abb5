#include "serene/io/ensemble.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "serene/io/checkpoint_parts.h"

namespace serene {
namespace {

std::string prefix_of(std::size_t member) { return "member." + std::to_string(member) + "."; }

std::set<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::set<std::string> words;
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Speakers that some member heard, or that all held out; nothing when a member does not say.
void note_speakers(Ensemble& e) {
  std::set<std::string> heard, held_out;
  for (std::size_t i = 0; i < e.members.size(); ++i) {
    const auto& notes = e.members[i].notes;
    if (notes.count("train_speakers") == 0 || notes.count("test_speakers") == 0) return;
    for (const char* part : {"train_speakers", "validation_speakers", "init_speakers"}) {
      if (notes.count(part) != 0) heard.merge(words_of(notes.at(part)));
    }
    const std::set<std::string> own = words_of(notes.at("test_speakers"));
    if (i == 0) held_out = own;
    std::erase_if(held_out, [&](const std::string& s) { return own.count(s) == 0; });
  }
  std::erase_if(held_out, [&](const std::string& s) { return heard.count(s) != 0; });
  e.notes["train_speakers"] = joined(heard);
  e.notes["test_speakers"] = joined(held_out);
}

std::map<std::string, std::string> common_notes(const std::vector<Checkpoint>& members) {
  std::map<std::string, std::string> notes = members.front().notes;
  std::erase_if(notes, [&](const auto& entry) {
    return std::any_of(members.begin(), members.end(), [&](const Checkpoint& m) {
      const auto found = m.notes.find(entry.first);
      return found == m.notes.end() || found->second != entry.second;
    });
  });
  for (const char* part : {"train_speakers", "validation_speakers", "init_speakers", "test_speakers"})
    notes.erase(part);
  return notes;
}

void check_weights(const std::vector<double>& weights) {
  for (const double w : weights) {
    if (!(w > 0) || !(w <= 1e6)) {
      throw Error(ErrorCode::usage, "weights", "out of range").expected("above 0, at most 1e6").got(std::to_string(w));
    }
  }
}

void check_members(const Ensemble& e) {
  for (std::size_t i = 0; i < e.members.size(); ++i) {
    with_context("member " + std::to_string(i), [&] { return label_places(e.members[i].labels, e.labels); });
  }
}

Json head_of(const Ensemble& e) {
  Json head{
      {"members", e.members.size()}, {"labels", e.labels}, {"weights", e.weights}, {"temperature", e.temperature}};
  if (e.uncertain_below > 0) head["uncertain_below"] = e.uncertain_below;
  return head;
}

std::size_t read_head(const SafeTensors& file, Ensemble& e) {
  const Json head = parse_json(file.metadata("head"), "head");
  JsonReader r(head, "head");
  const auto members = static_cast<std::size_t>(r.integer_in("members", 2, static_cast<Index>(most_members)));
  e.labels = r.texts("labels");
  e.weights = r.numbers("weights");
  e.temperature = r.number_in("temperature", 1e-3, 1e3, 1.0);
  e.uncertain_below = r.number_in("uncertain_below", 0, 1, 0);
  double sum = 0;
  for (const double w : e.weights) {
    if (!(w > 0)) throw r.error("weights", "not above 0");
    sum += w;
  }
  if (e.weights.size() != members || !(std::abs(sum - 1) < 1e-6)) {
    throw r.error("weights", "are not one for each member with the sum 1")
        .expected(std::to_string(members) + " weights")
        .got(std::to_string(e.weights.size()) + " with the sum " + std::to_string(sum));
  }
  r.finish();
  check_labels(e.labels, "head.labels");
  return members;
}

void refuse_other_texts(const SafeTensors& file, std::size_t members) {
  std::set<std::string> known{"format", "sha256", "head", "notes"};
  for (std::size_t i = 0; i < members; ++i) {
    for (const char* key : {"model", "features", "head", "notes"}) known.insert(prefix_of(i) + key);
  }
  for (const auto& [key, value] : file.metadata()) {
    if (known.count(key) == 0) throw Error(ErrorCode::input, printable(key), "a text that the ensemble does not have");
  }
}

Ensemble ensemble_from(const SafeTensors& file, const CheckpointOptions& options) {
  check_content_sum(file);
  Ensemble e;
  const std::size_t members = read_head(file, e);
  e.notes = notes_of(file, "notes");
  refuse_other_texts(file, members);
  const auto names = file.names();
  std::set<std::string> unread(names.begin(), names.end());
  for (std::size_t i = 0; i < members; ++i) e.members.push_back(take_checkpoint(file, prefix_of(i), unread));
  refuse_unread(unread);
  check_members(e);
  for (std::size_t i = 0; options.replay && i < members; ++i) {
    const Checkpoint& m = e.members[i];
    if (m.examples.empty()) continue;
    with_context("member " + std::to_string(i),
                 [&] { replay_examples(m, InferenceModel<float>(build_model_of(m), m.params), m.examples.size()); });
  }
  return e;
}

}  // namespace

Ensemble ensemble_of(Checkpoint checkpoint) {
  Ensemble e;
  e.labels = checkpoint.labels;
  e.notes = checkpoint.notes;
  e.uncertain_below = checkpoint.uncertain_below;
  e.weights = {1.0};
  e.members.push_back(std::move(checkpoint));
  return e;
}

Ensemble make_ensemble(std::vector<Checkpoint> members, std::vector<double> weights) {
  if (members.size() < 2 || members.size() > most_members) {
    throw Error(ErrorCode::usage, "ensemble", "number of members")
        .expected("2.." + std::to_string(most_members))
        .got(std::to_string(members.size()));
  }
  if (weights.empty()) weights.assign(members.size(), 1.0);
  if (weights.size() != members.size()) {
    throw Error(ErrorCode::usage, "weights", "not one for each member")
        .expected(std::to_string(members.size()))
        .got(std::to_string(weights.size()));
  }
  check_weights(weights);
  double sum = 0;
  for (const double w : weights) sum += w;
  for (double& w : weights) w /= sum;
  Ensemble e;
  e.labels = members.front().labels;
  e.notes = common_notes(members);
  e.weights = std::move(weights);
  e.members = std::move(members);
  for (Checkpoint& m : e.members) m.state.clear(), m.state_json = nullptr;
  check_members(e);
  note_speakers(e);
  return e;
}

void write_ensemble(const std::string& path, const Ensemble& e) {
  CheckpointWriter out;
  for (std::size_t i = 0; i < e.members.size(); ++i) out.add(path, prefix_of(i), e.members[i]);
  out.text("format", ensemble_format);
  out.text("head", head_of(e).dump());
  out.text("notes", Json(e.notes).dump());
  out.write(path);
}

Ensemble read_model(const std::string& path, const CheckpointOptions& options) {
  const SafeTensors file = read_safetensors(path, {.allow_nonfinite = options.allow_nonfinite});
  return with_context(path, [&] {
    if (format_of(file) == ensemble_format) return ensemble_from(file, options);
    return ensemble_of(checkpoint_from(file, options));
  });
}

std::vector<int> label_places(const std::vector<std::string>& member, const std::vector<std::string>& labels) {
  std::vector<int> places;
  for (const std::string& label : member) {
    const auto found = std::find(labels.begin(), labels.end(), label);
    if (found == labels.end()) {
      throw Error(ErrorCode::input, "labels", "\"" + printable(label, 40) + "\" is not a label of the others");
    }
    places.push_back(static_cast<int>(found - labels.begin()));
  }
  for (const std::string& label : labels) {
    if (std::find(member.begin(), member.end(), label) == member.end()) {
      throw Error(ErrorCode::input, "labels", "\"" + printable(label, 40) + "\" is missing");
    }
  }
  return places;
}

void add_answer(std::span<const double> q, std::span<const int> places, double weight, std::span<double> p) noexcept {
  for (std::size_t k = 0; k < q.size(); ++k) p[static_cast<std::size_t>(places[k])] += weight * q[k];
}

void apply_temperature(std::span<double> p, double temperature) noexcept {
  if (temperature == 1) return;
  const double most = std::log(std::max(*std::max_element(p.begin(), p.end()), 1e-300));
  double sum = 0;
  for (double& v : p) sum += v = std::exp((std::log(std::max(v, 1e-300)) - most) / temperature);
  for (double& v : p) v /= sum;
}

}  // namespace serene
