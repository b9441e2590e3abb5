// serene predict: probabilities of each emotion for audio files.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#endif

#include "command.h"
#include "serene/call/recognizer.h"
#include "serene/core/finite.h"
#include "serene/core/thread_pool.h"
#include "serene/data/feature_archive.h"
#include "serene/eval/text_table.h"
#include "serene/io/npy.h"
#include "shipped_files.h"

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

// What is asked about: a file, or one clip of a file of features.
struct Subject {
  std::string name;
  const FeatureMatrix* features = nullptr;
  std::string problem;  // of a file whose clips cannot be read
};

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

FeatureMatrix read_matrix(const std::string& file) {
  NpyArray<float> array = read_npy<float>(file);
  if (array.shape.size() != 2) {
    throw Error(ErrorCode::input, printable(file, 500), "wrong shape")
        .expected("(frames, channels)")
        .got(Json(array.shape).dump());
  }
  FeatureMatrix m;
  m.frames = array.shape[0], m.dim = array.shape[1], m.values = std::move(array.values);
  return m;
}

// (frames, F) features as `serene features` writes them, not standardised.
Recognition recognize_matrix(const Recognizer& recognizer, const Subject& subject) {
  const Index wanted = recognizer.members().front().checkpoint.input_channels;
  if (recognizer.streams().size() != 1) {
    throw Error(ErrorCode::usage, "--features", "the members of the ensemble hear several kinds of features");
  }
  const FeatureMatrix m = subject.features != nullptr ? *subject.features : read_matrix(subject.name);
  const std::string where = printable(subject.name, 500);
  if (m.frames < 1 || m.dim != wanted) {
    throw Error(ErrorCode::input, where, "wrong shape")
        .expected("(frames, " + std::to_string(wanted) + ")")
        .got(Json{m.frames, m.dim}.dump());
  }
  if (!all_finite(m.values.data(), static_cast<Index>(m.values.size()))) {
    throw Error(ErrorCode::input, where, "holds NaN or infinity");
  }
  return recognizer.recognize_features(m);
}

// The files; of an .npz its clips, which `archives` keeps.
std::vector<Subject> subjects_of(const std::vector<std::string>& files, const Question& question,
                                 std::deque<FeatureArchive>& archives) {
  std::vector<Subject> list;
  for (const std::string& file : files) {
    if (!question.features || !is_feature_archive(file)) {
      list.push_back({file, nullptr, ""});
      continue;
    }
    try {
      const FeatureArchive& archive = archives.emplace_back(read_feature_archive(file));
      for (std::size_t i = 0; i < archive.names.size(); ++i) {
        list.push_back({file + ":" + archive.names[i], &archive.clips[i], ""});
      }
    } catch (const Error& e) {
      list.push_back({file, nullptr, e.what()});
    }
  }
  return list;
}

// A broken file is an answer too: the others go on.
Answer ask(const Recognizer& recognizer, const Subject& subject, const Question& question) {
  Answer a;
  if (!subject.problem.empty()) return {{}, subject.problem};
  try {
    if (question.window_s > 0) {
      a.rows = recognizer.recognize_timeline(subject.name, question.window_s);
    } else {
      a.rows.push_back(
          {0, 0, question.features ? recognize_matrix(recognizer, subject) : recognizer.recognize_file(subject.name)});
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

// Takes the model off the words of the command line; the usual one when the first of them is none.
std::string take_model(std::vector<std::string>& words) {
  if (words.empty() || (words.size() == 1 && names_model(words[0]))) {
    throw Error(ErrorCode::usage, "serene predict", "at least one audio file is needed")
        .hint("see serene predict --help");
  }
  if (!names_model(words[0])) {
    const std::string model = default_model("serene predict");
    remark("model " + printable(model, 500));
    return model;
  }
  const std::string model = model_file(words[0]);
  words.erase(words.begin());
  return model;
}

}  // namespace

int predict_command(int argc, char** argv) {
  Arguments args("predict", "Tell the emotion of audio files: WAV, FLAC, Ogg, Opus or MP3 at any rate.",
                 "[MODEL.safetensors|RUN] FILE...");
  args.add()("json", "JSON instead of a table; files that cannot be used are in it with their error")(
      "timeline", "A long recording in windows that overlap by half: CSV of their times and answers, or --json")(
      "window", "Length of the windows of --timeline in seconds", cxxopts::value<double>()->default_value("3"), "S")(
      "features", "The files are features as serene features writes them (.npy, frames x values, or .npz), not sound")(
      "always", "Never \"uncertain\": the best guess, however unsure the model is")(
      "threads", "Threads", cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.add_precision();
  args.example("serene predict clip.wav                    (by $SERENE_MODEL or the model of this repository)");
  args.example("serene predict runs/first/best.safetensors clip.wav other.flac");
  args.example("serene predict ensemble.safetensors interview.mp3 --timeline --window 3");
  if (!args.parse(argc, argv)) return 0;
  prepare_memory();
  const Question question = question_of(args);
  auto files = args.positional();
  const std::string model = take_model(files);
  const Recognizer recognizer = Recognizer::open(model, precision_option(args));
  if (!question.features) {
    for (const FeatureConfig& stream : recognizer.streams()) {
      with_context(printable(model, 500), [&] { check_computable(stream); });
    }
  }
  std::deque<FeatureArchive> archives;
  const std::vector<Subject> subjects = subjects_of(files, question, archives);
  files.clear();
  for (const Subject& subject : subjects) files.push_back(subject.name);
  std::vector<Answer> answers(files.size());
  ThreadPool pool(static_cast<int>(std::min(static_cast<std::size_t>(args.threads()), files.size())));
  pool.run(static_cast<Index>(files.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    answers[at] = ask(recognizer, subjects[at], question);
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
