// Where on this machine a corpus lies.
#pragma once

#include <string>
#include <vector>

#include "serene/data/manifest.h"

namespace serene {

// The folder of a known corpus. Looked at in this order: data_path when it is not empty (then nothing else), the
// environment variable SERENE_DATA, ../shared/data, ./data. Each may be the corpus' own folder or hold it under its
// name or a usual one
// ("cremad", "CREMA-D", "AudioWAV"), and counts when a clip lies at most four folders below. Throws Error listing the
// places.
std::string locate_corpus(const std::string& corpus, const std::string& data_path = "");

// A manifest by name or by file: a known corpus is located and built; the path of a .jsonl or .csv file is read (with
// the given labels, when any). Throws Error naming the known corpora otherwise.
Manifest open_corpus(const std::string& name_or_file, const std::string& data_path = "",
                     const std::vector<std::string>& labels = {});

// Folder `name` beside root: root/name, root/../name. "" when neither exists.
std::string folder_near(const std::string& root, const std::string& name);

}  // namespace serene
