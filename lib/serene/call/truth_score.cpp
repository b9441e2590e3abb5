#include "serene/call/truth_score.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace serene {
namespace {

struct Span {
  std::int64_t start = 0, end = 0;
  int state = -1;  // group of what was played
};

int group_of(const std::string& emotion, const std::vector<StateGroup>& groups) {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto& labels = groups[g].labels;
    const bool named = groups[g].name == emotion || std::find(labels.begin(), labels.end(), emotion) != labels.end();
    if (named) return static_cast<int>(g);
  }
  return -1;
}

std::string text_at(const Json& event, const char* key) {
  const auto at = event.find(key);
  return at != event.end() && at->is_string() ? at->get<std::string>() : "";
}

std::int64_t integer_at(const Json& event, const char* key) {
  const auto at = event.find(key);
  return at != event.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

// The customer's speech so far, as the call heard it.
class HeardSpeech {
 public:
  void note(const Json& event) {
    if (text_at(event, "type") != "speech" || text_at(event, "leg") != "customer") return;
    const std::int64_t at = integer_at(event, "at_ms");
    if (text_at(event, "action") == "start") {
      spans_.push_back({at, open, 0});
    } else if (!spans_.empty() && spans_.back().end == open) {
      spans_.back().end = std::max(at, spans_.back().start);
    }
  }

  // Calls f(start, end) for the last `window_ms` of speech before t_ms, newest first.
  template <class F>
  void last(std::int64_t t_ms, std::int64_t window_ms, F&& f) const {
    for (auto span = spans_.rbegin(); span != spans_.rend() && window_ms > 0; ++span) {
      const std::int64_t end = span->end == open ? t_ms : std::min(span->end, t_ms);
      const std::int64_t start = std::max(span->start, end - window_ms);
      if (start >= end) continue;
      f(start, end);
      window_ms -= end - start;
    }
  }

 private:
  static constexpr std::int64_t open = -1;
  std::vector<Span> spans_;
};

struct WindowTruth {
  int state = -1;
  bool mixed = false;
};

std::optional<WindowTruth> truth_of(const Json& event, const HeardSpeech& speech, const std::vector<Span>& played,
                                    std::size_t groups) {
  std::vector<std::int64_t> covered(groups, 0);
  std::vector<std::int64_t> first(groups, 0);
  speech.last(integer_at(event, "t_ms"), integer_at(event, "window_ms"), [&](std::int64_t start, std::int64_t end) {
    for (const Span& piece : played) {
      const std::int64_t overlap = std::min(end, piece.end) - std::max(start, piece.start);
      if (overlap <= 0) continue;
      const auto g = static_cast<std::size_t>(piece.state);
      if (covered[g] == 0 || piece.start < first[g]) first[g] = piece.start;
      covered[g] += overlap;
    }
  });
  WindowTruth truth;
  int states = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    if (covered[g] == 0) continue;
    ++states;
    const auto best = static_cast<std::size_t>(std::max(truth.state, 0));
    const bool more =
        truth.state < 0 || covered[g] > covered[best] || (covered[g] == covered[best] && first[g] < first[best]);
    if (more) truth.state = static_cast<int>(g);
  }
  if (truth.state < 0) return std::nullopt;
  truth.mixed = states > 1;
  return truth;
}

void count(TruthShares& shares, const std::string& truth, const std::string& told, const std::string& best) {
  ++shares.windows;
  if (told == truth) {
    ++shares.right;
  } else if (told == "uncertain" || told == "no_speech") {
    ++shares.uncertain;
  } else {
    ++shares.wrong;
  }
  if (best == truth) ++shares.best_right;
}

Json shares_to_json(const TruthShares& s) {
  const auto share = [&](std::int64_t n) -> Json {
    if (s.windows == 0) return nullptr;
    return std::round(1e4 * static_cast<double>(n) / static_cast<double>(s.windows)) / 1e4;
  };
  return Json{{"windows", s.windows},
              {"right", share(s.right)},
              {"uncertain", share(s.uncertain)},
              {"wrong", share(s.wrong)},
              {"best_right", share(s.best_right)}};
}

}  // namespace

TruthScore score_truth(const std::vector<TruthPiece>& truth, const std::vector<StateGroup>& groups,
                       const std::vector<Json>& events) {
  std::vector<Span> played;
  for (const TruthPiece& piece : truth) {
    const int state = group_of(piece.emotion, groups);
    if (piece.leg == Leg::customer && state >= 0) played.push_back({piece.start_ms, piece.end_ms, state});
  }
  TruthScore score;
  HeardSpeech speech;
  for (const Json& event : events) {
    speech.note(event);
    if (text_at(event, "type") != "emotion") continue;
    const auto window = truth_of(event, speech, played, groups.size());
    if (!window) continue;
    const std::string& name = groups[static_cast<std::size_t>(window->state)].name;
    const std::string told = text_at(event, "state"), best = text_at(event, "top");
    count(score.all, name, told, best);
    if (!window->mixed) count(score.unmixed, name, told, best);
    ++score.counts[name][told];
  }
  return score;
}

Json to_json(const TruthScore& score) {
  Json json = shares_to_json(score.all);
  json["unmixed"] = shares_to_json(score.unmixed);
  Json counts = Json::object();
  for (const auto& [truth, row] : score.counts) {
    for (const auto& [told, n] : row) counts[truth][told] = n;
  }
  json["counts"] = counts;
  return json;
}

}  // namespace serene
