// The corpora serene knows by their file names: RAVDESS, CREMA-D, TESS, SAVEE, EMO-DB.
//
// Names (any audio ending, any folder):
//   ravdess  MM-VC-EE-II-SS-RR-AA   03-01-06-01-02-01-12        Livingstone & Russo 2018
//   cremad   AAAA_SSS_EEE_LL        1001_DFA_ANG_XX             Cao et al. 2014
//   tess     {OAF,YAF}_word_emotion OAF_back_angry              Pichora-Fuller & Dupuis 2020
//   savee    {DC,JE,JK,KL}_eNN      DC_sa01                     Jackson & Haq 2014
//   emodb    SSttt E v              03a01Wa                     Burkhardt et al. 2005
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serene/data/manifest.h"

namespace serene {

struct CorpusInfo {
  std::string name;
  std::string title;                     // "RAVDESS speech"
  std::vector<std::string> labels;       // in the order models use
  std::vector<std::size_t> label_clips;  // published number of clips per label
  std::size_t clips = 0;                 // published number of clips
  std::size_t speakers = 0;
  double shortest_s = 0, longest_s = 0;  // durations outside are odd
  std::vector<std::string> folders;      // usual names of its folder
  std::string licence;
};

// In a fixed order. The list lives as long as the program.
const std::vector<CorpusInfo>& known_corpora();
// nullptr when the name is unknown.
const CorpusInfo* find_corpus(std::string_view name) noexcept;
// Throws Error listing the known names.
const CorpusInfo& corpus_info(std::string_view name);

// What a file's stem says. The clip's path is left empty.
struct ParsedName {
  Clip clip;
  bool song = false;  // RAVDESS vocal channel 02
};

// Strict: std::nullopt when the stem breaks the grammar in any place. Throws Error for an unknown corpus.
std::optional<ParsedName> parse_file_name(std::string_view corpus, std::string_view stem);

// Endings that are taken for audio, lower case, without the dot.
bool is_audio_file_name(std::string_view file_name);

struct BuildOptions {
  bool songs = false;  // RAVDESS: sung clips too
};

// Lists root and everything below it in sorted order (links to folders are not followed, hidden files and __MACOSX are
// passed over). Audio files whose name breaks the grammar come into `skipped`; a second file of the same stem (the
// nested copies in the Kaggle archives) is counted in left_out["second copy"], songs in left_out["song"]. CREMA-D takes
// listeners' votes from tabulatedVotes.csv, and the speakers' sex from VideoDemographics.csv when they lie in root, its
// parent, or cremad_meta of either. Throws Error when root is no folder or holds no clip of this corpus.
Manifest build_corpus(const std::string& corpus, const std::string& root, const BuildOptions& options = {});

}  // namespace serene
