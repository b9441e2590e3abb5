// The recorded voices on this machine: speakers of the corpora with their clips by emotion, searched for once and
// shared by all calls of a command.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace serene::cli {

struct CorpusVoicesOptions {
  std::string data;                          // folder of corpora, as --data; "": where locate_corpus looks
  std::map<std::string, std::string> notes;  // of the checkpoint: train_speakers, validation_speakers, test_speakers
  std::vector<std::string> corpora;          // by name; empty: all that are known
  std::function<void(const std::string&)> remark;  // one line about a corpus that cannot be read; may be empty
};

// What a speaker is to the model, the best choice first.
enum class Heard { tested, never, unknown, validation, training };

struct CorpusSpeaker {
  std::string name, sex;
  Heard heard = Heard::unknown;
  std::map<std::string, std::vector<std::string>> files;  // by emotion, sorted by clip id
};

// Thread-safe.
class CorpusVoices {
 public:
  explicit CorpusVoices(CorpusVoicesOptions options) : options_(std::move(options)) {}

  // Sorted by name within each corpus, corpora in their order. The first caller searches, others wait for it.
  const std::vector<CorpusSpeaker>& speakers();

 private:
  void add_corpus(const std::string& corpus);
  Heard heard(const std::string& speaker) const;

  CorpusVoicesOptions options_;
  std::once_flag searched_;
  std::vector<CorpusSpeaker> speakers_;
};

}  // namespace serene::cli
