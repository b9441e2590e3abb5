// What listeners heard in a clip, from a table beside the corpus.
//
// Two forms of CSV:
//   CREMA-D's tabulatedVotes.csv   fileName, A D F H N S (all six), and in front a column without a name that numbers
//                                  the rows: 1xxxxx heard the voice alone, 2xxxxx saw the face, 3xxxxx had both. Rows
//                                  of the voice alone are taken; without that column all rows are.
//   any other                      fileName|filename|clip|id, and a column for each emotion of the shared vocabulary
//                                  (or another spelling of it: anger, fear, ...)
// Values are counts or shares, at least 0. Other columns are ignored.
#pragma once

#include <map>
#include <string>

#include "serene/data/csv.h"
#include "serene/data/manifest.h"

namespace serene {

using Votes = std::map<std::string, double>;     // by label; labels without a vote are left out
using VoteTable = std::map<std::string, Votes>;  // by the stem of the clip's file; clips without any vote are left out

// Throws Error(input) naming file:line: a column that is missing, a value that is no number within 0..1e6, a clip that
// comes twice. Pure.
VoteTable votes_of_table(const CsvTable& table);
VoteTable read_votes(const std::string& path);

// Gives every clip of the manifest its votes in the table, found by id (that of a merged manifest, "cremad/ID", too);
// other clips keep what they have. Returns how many clips were found.
std::size_t add_votes(Manifest& manifest, const VoteTable& table);

}  // namespace serene
