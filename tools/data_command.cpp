// serene data: what is on disk, what is wrong with it, who would train and who would test.
#include "command.h"
#include "serene/core/thread_pool.h"
#include "serene/data/check.h"
#include "serene/data/locate.h"
#include "serene/data/splits.h"
#include "serene/eval/text_table.h"
#include "serene/train/progress.h"

namespace serene::cli {
namespace {

int check(const Manifest& manifest, const Arguments& args) {
  ThreadPool pool(args.threads());
  Progress bar("checking " + manifest.name, args.quiet());
  const DataReport report =
      check_corpus(manifest, pool, [&](std::size_t done, std::size_t total) { bar.update(done, total); });
  bar.finish();
  print(args.has("json") ? to_json(report).dump(2) + "\n" : to_table(report, args.has("all") ? SIZE_MAX : 20));
  return report.clean() ? 0 : 2;
}

int list(const Manifest& manifest, const Arguments& args) {
  if (args.has("out")) {
    write_manifest(manifest, args.get<std::string>("out"));
    remark(std::to_string(manifest.clips.size()) + " clips written to " + args.get<std::string>("out"));
    return 0;
  }
  std::string text;
  for (const Clip& clip : manifest.clips) text += clip_to_json(clip).dump() + "\n";
  print(text);
  return 0;
}

int splits(const Manifest& manifest, const Arguments& args) {
  SplitOptions options;
  options.seed = args.get<std::uint64_t>("seed");
  if (args.has("folds-file")) options.folds_file = args.get<std::string>("folds-file");
  const auto all = make_splits(args.get<std::string>("protocol"), manifest, options);
  if (args.has("json")) {
    Json json = Json::array();
    for (const Split& s : all) json.push_back(split_to_json(s, manifest));
    print(json.dump(2) + "\n");
    return 0;
  }
  TextTable table({"split", "training", "validation", "test", "test speakers"});
  for (const Split& s : all) {
    std::string speakers;
    for (const std::string& name : speakers_of(subset(manifest, s.test)))
      speakers += (speakers.empty() ? "" : " ") + name;
    table.row({s.name, std::to_string(s.train.size()), std::to_string(s.validation.size()),
               std::to_string(s.test.size()), speakers.size() > 60 ? speakers.substr(0, 57) + "..." : speakers});
  }
  print(table.str());
  return 0;
}

}  // namespace

int data_command(int argc, char** argv) {
  Arguments args("data",
                 "Look at a corpus: check reads every clip, list prints its manifest, splits shows a protocol's parts.",
                 "check|list|splits CORPUS|MANIFEST");
  args.add()("protocol", "For splits", cxxopts::value<std::string>()->default_value("holdout"), "NAME")(
      "folds-file", "For splits: a CSV of folds instead of the built-in ones", cxxopts::value<std::string>(), "FILE")(
      "seed", "For splits", cxxopts::value<std::uint64_t>()->default_value("0"), "N")(
      "out", "For list: write the JSONL to this file", cxxopts::value<std::string>(), "FILE")(
      "all", "For check: show whole lists")("json", "JSON instead of tables");
  args.add_common();
  args.example("serene data check ravdess");
  args.example("serene data splits cremad --protocol cremad-hicmae5");
  if (!args.parse(argc, argv)) return 0;
  const auto words = args.positional();
  if (words.size() != 2)
    throw Error(ErrorCode::usage, "serene data", "an action and a corpus are needed").hint("see serene data --help");
  const Manifest manifest = open_corpus(words[1], args.data());
  if (words[0] == "check") return check(manifest, args);
  if (words[0] == "list") return list(manifest, args);
  if (words[0] == "splits") return splits(manifest, args);
  throw Error(ErrorCode::usage, "serene data " + printable(words[0]), "unknown action")
      .expected("check, list or splits");
}

}  // namespace serene::cli
