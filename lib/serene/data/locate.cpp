#include "serene/data/locate.h"

#include <cstdlib>
#include <filesystem>

#include "serene/core/error.h"
#include "serene/data/corpora.h"
#include "serene/data/csv.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

// Whether a clip of the corpus lies in the folder or at most four folders below; looks at 200,000 entries at most.
bool holds_clips(const std::string& corpus, const fs::path& folder) {
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) return false;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, failed), end;
  for (int entries = 0; !failed && it != end && entries < 200'000; ++entries) {
    const fs::path& path = it->path();
    if (it.depth() >= 4) it.disable_recursion_pending();
    if (is_audio_file_name(path.filename().string())) {
      if (parse_file_name(corpus, path.stem().string())) return true;
      const std::string in_folder = path.parent_path().filename().string() + "_" + path.stem().string();
      if (corpus == "savee" && parse_file_name(corpus, in_folder)) return true;
    }
    it.increment(failed);
  }
  return false;
}

// The corpus' own folder at or in `place`; "" when it is not there.
std::string corpus_in(const CorpusInfo& info, const std::string& place) {
  std::vector<std::string> names = {info.name};
  names.insert(names.end(), info.folders.begin(), info.folders.end());
  for (const std::string& name : names) {
    const fs::path folder = fs::path(place) / name;
    if (holds_clips(info.name, folder)) return folder.string();
  }
  return holds_clips(info.name, place) ? place : "";
}

}  // namespace

std::string folder_near(const std::string& root, const std::string& name) {
  std::error_code failed;
  const fs::path here(root);
  for (const fs::path& folder : {here / name, here / ".." / name}) {
    if (fs::is_directory(folder, failed)) return folder.string();
  }
  return "";
}

std::string locate_corpus(const std::string& corpus, const std::string& data_path) {
  const CorpusInfo& info = corpus_info(corpus);
  std::vector<std::string> places;
  if (!data_path.empty()) {
    places = {data_path};
  } else {
    const char* from_environment = std::getenv("SERENE_DATA");
    if (from_environment != nullptr && *from_environment != '\0') places.push_back(from_environment);
    places.push_back("../shared/data");
    places.push_back("./data");
  }
  std::string looked;
  for (const std::string& place : places) {
    const std::string found = corpus_in(info, place);
    if (!found.empty()) return found;
    looked += (looked.empty() ? "" : ", ") + place;
  }
  throw Error(ErrorCode::not_found, info.title, "no clip found; looked in " + looked)
      .hint("give the folder with --data or the environment variable SERENE_DATA");
}

Manifest open_corpus(const std::string& name_or_file, const std::string& data_path,
                     const std::vector<std::string>& labels) {
  if (find_corpus(name_or_file) != nullptr) return build_corpus(name_or_file, locate_corpus(name_or_file, data_path));
  const std::string ending = lower_case(fs::path(name_or_file).extension().string());
  if (ending == ".jsonl" || ending == ".csv" || ending == ".json") return read_manifest(name_or_file, labels);
  std::string names;
  for (const CorpusInfo& info : known_corpora()) names += info.name + ", ";
  throw Error(ErrorCode::usage, "corpus", "unknown corpus '" + printable(name_or_file) + "'")
      .expected(names + "or the path of a .jsonl or .csv manifest");
}

}  // namespace serene
