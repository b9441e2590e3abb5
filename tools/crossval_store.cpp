#include "crossval_store.h"

#include <algorithm>
#include <filesystem>

#include "command.h"
#include "serene/core/sha256.h"
#include "serene/io/atomic_file.h"
#include "serene/io/checkpoint.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

std::string stem_of(const std::string& folder, std::uint64_t seed, Index fold) {
  return folder + "/seed" + std::to_string(seed) + "-fold" + std::to_string(fold);
}

}  // namespace

FoldStore::FoldStore(const std::string& folder, const std::string& key, Part part)
    : folder_(folder), key_(key), ending_(part == Part::validation ? "-validation.json" : ".json") {}

bool FoldStore::load(std::uint64_t seed, const Split& split, FoldResult& result) const {
  const std::string path = path_of(seed, split);
  if (!fs::exists(path)) return false;
  const Json json = read_json_file(path);
  JsonReader r(json, path);
  if (r.text("key") != key_) return false;
  result.predictions = predictions_from_json(r.raw("predictions"), path);
  return true;
}

void FoldStore::save(std::uint64_t seed, const Split& split, const FoldResult& result) const {
  const Json json{{"key", key_}, {"predictions", predictions_to_json(result.predictions)}};
  write_file_atomic(path_of(seed, split), json.dump() + "\n");
}

std::string FoldStore::path_of(std::uint64_t seed, const Split& split) const {
  return stem_of(folder_, seed, split.fold) + ending_;
}

std::string fold_model_file(const std::string& folder, std::uint64_t seed, Index fold) {
  return stem_of(folder, seed, fold) + ".safetensors";
}

Checkpoint read_fold_model(const std::string& path, const RunConfig& config) {
  Checkpoint model = read_checkpoint(path);
  const auto made_by = model.notes.find("config_sha256");
  if (made_by == model.notes.end() || made_by->second != sha256_hex(to_json(config).dump())) {
    throw Error(ErrorCode::input, path, "was made by another config than the one in its folder")
        .hint("run serene crossval with --models again");
  }
  return model;
}

std::vector<std::pair<std::uint64_t, Index>> folds_of(JsonReader& summary) {
  std::vector<std::pair<std::uint64_t, Index>> list;
  const Json& folds = summary.raw("folds");
  if (!folds.is_array() || folds.empty()) throw summary.error("folds", "not a list of folds");
  for (std::size_t i = 0; i < folds.size(); ++i) {
    JsonReader r(folds[i], "folds[" + std::to_string(i) + "]");
    list.emplace_back(static_cast<std::uint64_t>(r.integer_in("seed", 0, std::int64_t{1} << 53)),
                      r.integer_in("fold", 0, 100000));
  }
  std::sort(list.begin(), list.end());
  return list;
}

bool is_crossval(const std::string& folder) {
  std::error_code unseen;
  if (!is_folder(folder) || fs::exists(folder + "/best.safetensors", unseen)) return false;
  for (const char* name : {"/results.json", "/validation_results.json"}) {
    if (fs::exists(folder + name, unseen)) return true;
  }
  return false;
}

}  // namespace serene::cli
