#include "shipped_files.h"

#include <cstdlib>
#include <filesystem>

#include "command.h"

namespace serene::cli {

namespace fs = std::filesystem;

std::string shipped_file(const std::string& name, std::vector<std::string>* places) {
  std::vector<fs::path> folders{""};
  std::error_code unseen;
  const fs::path program = fs::read_symlink("/proc/self/exe", unseen);
  if (!unseen && program.has_parent_path()) {
    const fs::path folder = program.parent_path();
    folders.push_back(folder.parent_path());
    folders.push_back(folder.parent_path().parent_path());
    folders.push_back(folder.parent_path() / "share" / "serene");  // installed
  }
  for (const fs::path& folder : folders) {
    const fs::path file = folder / name;
    if (places != nullptr) places->push_back(file.string());
    if (fs::is_regular_file(file, unseen)) return file.string();
  }
  return "";
}

std::string listed(const std::vector<std::string>& places) {
  std::string text;
  for (const std::string& p : places) text += (text.empty() ? "" : ", ") + printable(p, 300);
  return text;
}

std::string default_model(const std::string& where) {
  const char* named = std::getenv("SERENE_MODEL");
  if (named != nullptr && *named != '\0') return model_file(named);
  std::vector<std::string> places;
  const std::string shipped = shipped_file("configs/pretrained/default.safetensors", &places);
  if (!shipped.empty()) return shipped;
  throw Error(ErrorCode::not_found, where, "no model is given and none is found")
      .expected("$SERENE_MODEL, " + listed(places))
      .hint("train one with serene train configs/call_model.json");
}

bool names_model(const std::string& word) { return is_folder(word) || word.ends_with(".safetensors"); }

}  // namespace serene::cli
