// The one-way road of the folders, held by reading the sources: who may include whom, how long a file may be, and that
// no path of one machine stands in any of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

struct Source {
  std::string path;  // from the root of the project
  std::string text;
};

// Files below the named folders that end in one of `endings`, sorted.
std::vector<Source> sources(const std::vector<std::string>& folders, const std::set<std::string>& endings) {
  const fs::path root = SERENE_SOURCE_DIR;
  std::vector<Source> list;
  for (const std::string& folder : folders) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file()) continue;
      const fs::path& p = entry.path();
      if (endings.count(p.extension().string()) == 0 && endings.count(p.filename().string()) == 0) continue;
      std::stringstream text;
      text << std::ifstream(p, std::ios::binary).rdbuf();
      list.push_back({fs::relative(p, root).generic_string(), text.str()});
    }
  }
  std::sort(list.begin(), list.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return list;
}

// What a folder may include besides itself. The training wing (data, train) and the call wing (call, server) never
// meet.
const std::map<std::string, std::set<std::string>>& allowed() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"core", {}},
      {"audio", {"core"}},
      {"nn", {"core"}},
      {"eval", {"core"}},
      {"mpi", {"core"}},
      {"io", {"core", "audio", "nn"}},
      {"data", {"core", "audio", "io"}},
      {"call", {"core", "audio", "nn", "eval", "io"}},
      {"train", {"core", "audio", "nn", "eval", "io", "data"}},
      {"server", {"core", "audio", "nn", "eval", "io", "call"}},
  };
  return table;
}

// "nn" of "lib/serene/nn/lstm.h" and of "serene/nn/lstm.h"; "" for a file that lies above the folders.
std::string folder_of(std::string path, const std::string& prefix) {
  path.erase(0, prefix.size());
  const auto slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// The line's "serene/..." path, or "".
std::string included(const std::string& line) {
  const auto start = line.find_first_not_of(" \t");
  if (start == std::string::npos || line[start] != '#') return "";
  const auto word = line.find_first_not_of(" \t", start + 1);
  if (word == std::string::npos || line.compare(word, 7, "include") != 0) return "";
  const auto open = line.find_first_of("\"<", word);
  if (open == std::string::npos) return "";
  const auto close = line.find_first_of("\">", open + 1);
  const std::string path = line.substr(open + 1, close - open - 1);
  return path.starts_with("serene/") ? path : "";
}

// Everything in `files` that breaks the rule, one line each.
std::vector<std::string> broken_rules(const std::vector<Source>& files) {
  std::vector<std::string> found;
  for (const Source& file : files) {
    const std::string own = folder_of(file.path, "lib/serene/");
    if (own.empty()) continue;  // the public faces, which may include everything
    if (allowed().count(own) == 0) {
      found.push_back(file.path + ": a folder without a rank");
      continue;
    }
    std::istringstream lines(file.text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      const std::string path = included(line);
      const std::string other = path.empty() ? own : folder_of(path, "serene/");
      const bool version = path == "serene/version.h";
      if (other == own || version || allowed().at(own).count(other) != 0) continue;
      found.push_back(file.path + ":" + std::to_string(number) + ": " + own + " includes " + path);
    }
  }
  return found;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

const std::set<std::string> kCode = {".h", ".cpp", ".hpp", ".cc"};

}  // namespace

TEST_CASE("structure: folders include downwards only, and the wings never meet") {
  const auto files = sources({"lib/serene"}, kCode);
  CHECK(files.size() > 100);
  const auto broken = broken_rules(files);
  CHECK_MESSAGE(broken.empty(), joined(broken));
}

TEST_CASE("structure: the rule itself finds what is wrong") {
  const auto bad = [](const char* path, const char* line) {
    return broken_rules({{path, std::string("// x\n") + line + "\n"}}).size() == 1;
  };
  CHECK(bad("lib/serene/core/a.h", "#include \"serene/audio/fft.h\""));
  CHECK(bad("lib/serene/nn/a.h", "#include \"serene/audio/fft.h\""));
  CHECK(bad("lib/serene/io/a.cpp", "  #  include <serene/data/csv.h>"));
  CHECK(bad("lib/serene/call/a.h", "#include \"serene/data/csv.h\""));
  CHECK(bad("lib/serene/train/a.h", "#include \"serene/call/recognizer.h\""));
  CHECK(bad("lib/serene/data/a.h", "#include \"serene/nn/lstm.h\""));
  CHECK(bad("lib/serene/nn/a.h", "#include \"serene/serene.h\""));
  CHECK(bad("lib/serene/misc/a.h", ""));
  CHECK_FALSE(bad("lib/serene/train/a.h", "#include \"serene/data/csv.h\""));
  CHECK_FALSE(bad("lib/serene/train/a.h", "#include \"serene/version.h\""));
  CHECK_FALSE(bad("lib/serene/nn/a.h", "// #include \"serene/audio/fft.h\""));
  CHECK_FALSE(bad("lib/serene/serene.h", "#include \"serene/train/trainer.h\""));
  // The ranks hold no circle: a folder is never allowed what is allowed it.
  for (const auto& [folder, below] : allowed()) {
    for (const std::string& other : below) CHECK(allowed().at(other).count(folder) == 0);
  }
}

TEST_CASE("structure: sources are at most 450 lines long and headers are guarded") {
  for (const Source& file : sources({"lib", "tools", "tests"}, {".h", ".cpp"})) {
    CHECK_MESSAGE(std::count(file.text.begin(), file.text.end(), '\n') <= 450, file.path);
    if (file.path.ends_with(".h")) CHECK_MESSAGE(file.text.find("#pragma once") != std::string::npos, file.path);
  }
}

TEST_CASE("structure: no file holds a path of one machine") {
  const auto files = sources({"lib", "tools", "tests", "configs", "data_scripts", "benchmarks"},
                             {".h", ".cpp", ".py", ".txt", ".json", ".md", ".cmake", ".csv", ".js", ".html", ".sh"});
  const std::vector<std::string> bases = {"work", "root", "tmp"};
  for (const Source& file : files) {
    for (const std::string& base : bases) {
      const std::string path = "/" + base + "/";
      for (std::size_t at = file.text.find(path); at != std::string::npos; at = file.text.find(path, at + 1)) {
        const char before = at > 0 ? file.text[at - 1] : ' ';
        const bool inside = std::isalnum(static_cast<unsigned char>(before)) != 0 ||
                            std::string("._-}/*").find(before) != std::string::npos;
        CHECK_MESSAGE(inside, file.path << ": " << path);
      }
    }
    CHECK_MESSAGE(file.text.find("/home"
                                 "/") == std::string::npos,
                  file.path);
  }
}
