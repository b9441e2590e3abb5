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
  args.add_precision();
  args.example("serene predict runs/first/best.safetensors clip.wav other.flac");
  if (!args.parse(argc, argv)) return 0;
  prepare_memory();
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
