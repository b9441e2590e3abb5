// serene predict: probabilities of each emotion for audio files.
#include <algorithm>
#include <optional>

#include "command.h"
#include "serene/call/recognizer.h"
#include "serene/core/thread_pool.h"
#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

struct Answer {
  std::optional<Recognition> recognition;
  std::string problem;
};

// A broken file is an answer too: the others go on.
Answer ask(const Recognizer& recognizer, const std::string& file) {
  Answer a;
  try {
    a.recognition = recognizer.recognize_file(file);
  } catch (const Error& e) {
    a.problem = e.what();
  }
  return a;
}

std::string table_of(const Recognizer& r, const std::vector<std::string>& files, const std::vector<Answer>& answers) {
  std::vector<std::string> header{"file", "emotion"};
  for (const std::string& label : r.labels()) header.push_back(printable(label, 12) + " %");
  TextTable table(header);
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!answers[i].recognition) continue;
    const Recognition& a = *answers[i].recognition;
    std::vector<std::string> row{printable(files[i], 80), printable(r.labels()[static_cast<std::size_t>(a.label)], 12)};
    for (const double p : a.probabilities) row.push_back(percent(p));
    table.row(row);
  }
  return table.str();
}

Json json_of(const Recognizer& r, const std::vector<std::string>& files, const std::vector<Answer>& answers) {
  Json list = Json::array();
  for (std::size_t i = 0; i < files.size(); ++i) {
    Json item{{"file", printable(files[i], 4096)}};
    if (answers[i].recognition) {
      const Recognition& a = *answers[i].recognition;
      item["emotion"] = r.labels()[static_cast<std::size_t>(a.label)];
      Json p = Json::object();
      for (std::size_t k = 0; k < a.probabilities.size(); ++k) p[r.labels()[k]] = a.probabilities[k];
      item["probabilities"] = p;
      item["frames"] = a.frames;
    } else {
      item["error"] = answers[i].problem;
    }
    list.push_back(item);
  }
  return list;
}

}  // namespace

int predict_command(int argc, char** argv) {
  Arguments args("predict", "Tell the emotion of audio files: WAV, FLAC, Ogg, Opus or MP3 at any rate.",
                 "MODEL.safetensors|RUN FILE...");
  args.add()("json", "JSON instead of a table; files that cannot be used are in it with their error")(
      "threads", "Threads", cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.example("serene predict runs/first/best.safetensors clip.wav other.flac");
  if (!args.parse(argc, argv)) return 0;
  auto files = args.positional();
  if (files.size() < 2)
    throw Error(ErrorCode::usage, "serene predict", "a model and at least one audio file are needed")
        .hint("see serene predict --help");
  const Recognizer recognizer = Recognizer::open(model_file(files[0]));
  files.erase(files.begin());
  std::vector<Answer> answers(files.size());
  ThreadPool pool(args.threads());
  pool.run(static_cast<Index>(files.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    answers[at] = ask(recognizer, files[at]);
  });
  print(args.has("json") ? json_of(recognizer, files, answers).dump(2) + "\n" : table_of(recognizer, files, answers));
  bool failed = false;
  for (const Answer& a : answers) {
    if (a.problem.empty()) continue;
    remark("serene: " + a.problem);
    failed = true;
  }
  return failed ? 2 : 0;
}

}  // namespace serene::cli
