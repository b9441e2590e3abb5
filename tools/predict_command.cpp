// serene predict: probabilities of each emotion for audio files.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#endif

#include "command.h"
#include "serene/call/recognizer.h"
#include "serene/core/thread_pool.h"
#include "serene/eval/text_table.h"
#include "serene/io/npy.h"

namespace serene::cli {
namespace {

// For a quick start. The file of a model, its weights and their packed form follow each other: what one gives back
// serves the next, and the first of it comes in pages of 2 MiB, not in two thousand page faults.
void prepare_memory() {
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
  constexpr int most_kept = 32 << 20;
  mallopt(M_MMAP_THRESHOLD, most_kept);
  mallopt(M_TRIM_THRESHOLD, most_kept);
  constexpr std::size_t room = 8 << 20, page = 2 << 20;
  void* const block = std::malloc(room);
  if (block == nullptr) return;
  void* begin = block;
  std::size_t left = room;
  if (std::align(page, page, begin, left) != nullptr) madvise(begin, left / page * page, MADV_HUGEPAGE);
  std::free(block);
#endif
}

// rows: the whole file, or its windows in time.
struct Answer {
  std::vector<TimedRecognition> rows;
  std::string problem;
};

struct Question {
  double window_s = 0;    // 0: the file as a whole
  bool always = false;    // never "uncertain"
  bool features = false;  // the files hold features, not sound
};

// (frames, F) features as `serene features` writes them, not standardised.
Recognition recognize_npy(const Recognizer& recognizer, const std::string& file) {
  const Index wanted = recognizer.members().front().checkpoint.input_channels;
  if (recognizer.streams().size() != 1) {
    throw Error(ErrorCode::usage, "--features", "the members of the ensemble hear several kinds of features");
  }
  const NpyArray<float> array = read_npy<float>(file);
  if (array.shape.size() != 2 || array.shape[0] < 1 || array.shape[1] != wanted) {
    throw Error(ErrorCode::input, printable(file, 500), "wrong shape")
        .expected("(frames, " + std::to_string(wanted) + ")")
        .got(Json(array.shape).dump());
  }
  FeatureMatrix m;
  m.frames = array.shape[0], m.dim = wanted, m.values = array.values;
  return recognizer.recognize_features(m);
}

// A broken file is an answer too: the others go on.
Answer ask(const Recognizer& recognizer, const std::string& file, const Question& question) {
  Answer a;
  try {
    if (question.window_s > 0) {
      a.rows = recognizer.recognize_timeline(file, question.window_s);
    } else {
      a.rows.push_back({0, 0, question.features ? recognize_npy(recognizer, file) : recognizer.recognize_file(file)});
    }
    for (TimedRecognition& row : a.rows) row.recognition.uncertain &= !question.always;
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
    if (answers[i].rows.empty()) continue;
    const Recognition& a = answers[i].rows.front().recognition;
    const std::string label = printable(r.labels()[static_cast<std::size_t>(a.label)], 12);
    std::vector<std::string> row{printable(files[i], 80), (a.uncertain ? "uncertain: " : "") + label};
    for (const double p : a.probabilities) row.push_back(percent(p));
    table.row(row);
  }
  return table.str();
}

Json json_of(const Recognizer& r, const Recognition& a) {
  Json item{{"emotion", r.labels()[static_cast<std::size_t>(a.label)]}};
  if (r.uncertain_below() > 0) item["uncertain"] = a.uncertain;
  Json p = Json::object();
  for (std::size_t k = 0; k < a.probabilities.size(); ++k) p[r.labels()[k]] = a.probabilities[k];
  item["probabilities"] = p;
  item["frames"] = a.frames;
  return item;
}

Json json_of(const Recognizer& r, const std::vector<std::string>& files, const std::vector<Answer>& answers,
             const Question& question) {
  Json list = Json::array();
  for (std::size_t i = 0; i < files.size(); ++i) {
    Json item{{"file", printable(files[i], 4096)}};
    if (answers[i].rows.empty()) {
      item["error"] = answers[i].problem;
    } else if (question.window_s > 0) {
      item["windows"] = Json::array();
      for (const TimedRecognition& row : answers[i].rows) {
        Json window{{"from_s", row.from_s}, {"to_s", row.to_s}};
        window.update(json_of(r, row.recognition));
        item["windows"].push_back(window);
      }
    } else {
      item.update(json_of(r, answers[i].rows.front().recognition));
    }
    list.push_back(item);
  }
  return list;
}

// A field of a CSV file, quoted where it must be.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string timeline_csv(const Recognizer& r, const std::vector<std::string>& files,
                         const std::vector<Answer>& answers) {
  std::string text = "file,from_s,to_s,emotion,uncertain";
  for (const std::string& label : r.labels()) text += "," + csv_field(printable(label, 40));
  text += "\n";
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const TimedRecognition& row : answers[i].rows) {
      const Recognition& a = row.recognition;
      text += csv_field(printable(files[i], 4096)) + "," + fixed(row.from_s, 3) + "," + fixed(row.to_s, 3) + "," +
              csv_field(printable(r.labels()[static_cast<std::size_t>(a.label)], 40)) + "," + (a.uncertain ? "1" : "0");
      for (const double p : a.probabilities) text += "," + fixed(p, 6);
      text += "\n";
    }
  }
  return text;
}

Question question_of(const Arguments& args) {
  Question q;
  q.always = args.has("always");
  q.features = args.has("features");
  if (q.features && args.has("timeline")) throw Error(ErrorCode::usage, "--features", "does not go with --timeline");
  if (args.has("window") && !args.has("timeline")) throw Error(ErrorCode::usage, "--window", "belongs to --timeline");
  if (!args.has("timeline")) return q;
  q.window_s = args.get<double>("window");
  if (!(q.window_s >= 0.1 && q.window_s <= 3600))
    throw Error(ErrorCode::usage, "--window", "out of range").expected("0.1 to 3600 s");
  return q;
}

}  // namespace

int predict_command(int argc, char** argv) {
  Arguments args("predict", "Tell the emotion of audio files: WAV, FLAC, Ogg, Opus or MP3 at any rate.",
                 "MODEL.safetensors|RUN FILE...");
  args.add()("json", "JSON instead of a table; files that cannot be used are in it with their error")(
      "timeline", "A long recording in windows that overlap by half: CSV of their times and answers, or --json")(
      "window", "Length of the windows of --timeline in seconds", cxxopts::value<double>()->default_value("3"), "S")(
      "features", "The files are features as serene features writes them (.npy, frames x values), not sound")(
      "always", "Never \"uncertain\": the best guess, however unsure the model is")(
      "threads", "Threads", cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.add_precision();
  args.example("serene predict runs/first/best.safetensors clip.wav other.flac");
  args.example("serene predict ensemble.safetensors interview.mp3 --timeline --window 3");
  if (!args.parse(argc, argv)) return 0;
  prepare_memory();
  const Question question = question_of(args);
  auto files = args.positional();
  if (files.size() < 2)
    throw Error(ErrorCode::usage, "serene predict", "a model and at least one audio file are needed")
        .hint("see serene predict --help");
  const Recognizer recognizer = Recognizer::open(model_file(files[0]), precision_option(args));
  files.erase(files.begin());
  std::vector<Answer> answers(files.size());
  ThreadPool pool(static_cast<int>(std::min(static_cast<std::size_t>(args.threads()), files.size())));
  pool.run(static_cast<Index>(files.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    answers[at] = ask(recognizer, files[at], question);
  });
  print(args.has("json")        ? json_of(recognizer, files, answers, question).dump(2) + "\n"
        : question.window_s > 0 ? timeline_csv(recognizer, files, answers)
                                : table_of(recognizer, files, answers));
  bool failed = false;
  for (const Answer& a : answers) {
    if (a.problem.empty()) continue;
    remark("serene: " + a.problem);
    failed = true;
  }
  return failed ? 2 : 0;
}

}  // namespace serene::cli
