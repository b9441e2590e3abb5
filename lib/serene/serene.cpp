#include "serene/serene.h"

namespace serene {
namespace {

CallConfig read_call_config(const std::string& path) {
  const Json json = read_json_file(path, 1u << 20);
  return with_context(path, [&] {
    JsonReader reader(json, "");
    return call_config_from_json(reader);
  });
}

}  // namespace

CallModel call_model_of(const Recognizer& recognizer, const CallFiles& files) {
  CallConfig config;
  Playbook playbook;
  if (!files.config.empty()) config = read_call_config(files.config);
  if (!files.playbook.empty()) playbook = read_playbook(files.playbook);
  return CallModel(recognizer, std::move(config), std::move(playbook));
}

CallModel open_call_model(const std::string& model, const CallFiles& files, Precision precision) {
  return call_model_of(Recognizer::open(model, precision), files);
}

}  // namespace serene
