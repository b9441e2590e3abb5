// Files that ship with the program, and the model that answers when none is named.
#pragma once

#include <string>
#include <vector>

namespace serene::cli {

// A file such as "configs/call/playbook.json": looked for in the working folder, in the two folders above the program's
// own, and where the package puts it. "" when it is nowhere; `places` receives where it was looked for.
std::string shipped_file(const std::string& name, std::vector<std::string>* places = nullptr);

// "a, b, c", for a message.
std::string listed(const std::vector<std::string>& places);

// $SERENE_MODEL, else configs/pretrained/default.safetensors. Throws Error(not_found) that begins with `where` and
// names the places where it was looked for.
std::string default_model(const std::string& where);

// Whether a word of the command line is meant as a model: a folder (a run), or a name that ends like a model's.
bool names_model(const std::string& word);

}  // namespace serene::cli
