// The rules that keep the parts of a split apart, and its form on disk.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "serene/core/error.h"
#include "serene/data/splits.h"

namespace serene {
namespace {

using Clips = std::vector<std::size_t>;

// Where each value stands first; throws through `clash` when it stands in two parts.
template <class Value, class Clash>
void keep_apart(const Split& split, const Manifest& manifest, Value value, Clash clash) {
  struct First {
    int part;
    std::size_t clip;
  };
  std::unordered_map<std::string, First> first;
  const Clips* parts[] = {&split.train, &split.validation, &split.test};
  for (int p = 0; p < 3; ++p) {
    for (const std::size_t clip : *parts[p]) {
      const auto [place, fresh] = first.emplace(value(clip), First{p, clip});
      if (!fresh && place->second.part != p)
        clash(manifest.clips[place->second.clip], place->second.part, manifest.clips[clip], p);
    }
  }
}

}  // namespace

void verify_split(const Split& split, const Manifest& manifest, std::span<const std::string> contents) {
  static const char* const part_names[] = {"training", "validation", "test"};
  const auto places = [](int a, int b) { return std::string(part_names[a]) + " and the " + part_names[b] + " part"; };
  // The leaky protocol chooses its epoch by the test part itself.
  const bool watches_test = split.protocol == "kaggle-leaky" && split.validation == split.test;
  std::set<std::size_t> seen;
  for (const Clips* part : {&split.train, &split.validation, &split.test}) {
    if (watches_test && part == &split.validation) continue;
    for (const std::size_t clip : *part) {
      if (clip >= manifest.clips.size()) throw Error(ErrorCode::input, split.name, "a clip is out of range");
      if (!seen.insert(clip).second) {
        throw Error(ErrorCode::input, split.name, "clip '" + manifest.clips[clip].id + "' stands in the split twice");
      }
    }
  }
  if (keeps_speakers_apart(split.protocol)) {
    keep_apart(
        split, manifest, [&](std::size_t clip) { return manifest.clips[clip].speaker; },
        [&](const Clip& a, int part_a, const Clip& b, int part_b) {
          throw Error(ErrorCode::input, split.name, "speaker '" + a.speaker + "' is in the " + places(part_a, part_b))
              .hint("clips " + a.id + " and " + b.id);
        });
  }
  if (contents.empty()) return;
  if (contents.size() != manifest.clips.size()) {
    throw Error(ErrorCode::internal, split.name, "contents do not fit the clips");
  }
  keep_apart(
      split, manifest, [&](std::size_t clip) { return contents[clip]; },
      [&](const Clip& a, int part_a, const Clip& b, int part_b) {
        throw Error(ErrorCode::input, split.name,
                    "identical audio in the " + places(part_a, part_b) + ": clips " + a.id + " and " + b.id)
            .hint("remove one of them from the manifest");
      });
}

Json split_to_json(const Split& split, const Manifest& manifest) {
  Json json = {{"protocol", split.protocol}, {"name", split.name}, {"fold", split.fold}};
  const std::pair<const char*, const Clips*> parts[] = {
      {"train", &split.train}, {"validation", &split.validation}, {"test", &split.test}};
  for (const auto& [name, part] : parts) {
    Json ids = Json::array();
    for (const std::size_t clip : *part) ids.push_back(manifest.clips.at(clip).id);
    json[name] = std::move(ids);
  }
  return json;
}

Split split_from_json(const Json& json, const std::string& where, const Manifest& manifest) {
  std::unordered_map<std::string, std::size_t> place_of;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) place_of.emplace(manifest.clips[i].id, i);
  return with_context(where, [&] {
    JsonReader reader(json, "");
    Split split;
    split.protocol = reader.text("protocol");
    split.name = reader.text("name");
    split.fold = static_cast<int>(reader.integer_in("fold", 0, 1'000'000));
    const std::pair<const char*, Clips*> parts[] = {
        {"train", &split.train}, {"validation", &split.validation}, {"test", &split.test}};
    for (const auto& [name, part] : parts) {
      if (!reader.has(name)) throw reader.error(name, "missing");
      for (const std::string& id : reader.texts(name)) {
        const auto found = place_of.find(id);
        if (found == place_of.end()) throw reader.error(name, "clip '" + printable(id) + "' is not in the corpus");
        part->push_back(found->second);
      }
      std::sort(part->begin(), part->end());
    }
    reader.finish();
    verify_split(split, manifest);
    return split;
  });
}

}  // namespace serene
