// The list of a corpus' clips, in a fixed order, and its labels. Read from and written to JSONL; read from CSV too.
//
// JSONL: one object per line. CSV: a header row, RFC 4180 quotes. Accepted names of the fields in both:
//   path|wav|file|filename|audio, label|emotion|emo, speaker|spk|speaker_id|actor, sex|gender, corpus|dataset, id|key,
//   statement|text, intensity|level, repetition, language|lang; JSONL also takes votes (an object of numbers). Other
//   fields are ignored.
// EmoBox's JSONL (key, dataset, wav, emo, ...) is such a file; what it leaves out (speaker, sex) is taken from the file
// name where the corpus is known.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serene/core/json.h"
#include "serene/data/clip.h"

namespace serene {

struct Manifest {
  std::string name;                 // "ravdess", or the stem of the file it was read from
  std::string root;                 // the folder it was built from or that its file lies in
  std::vector<std::string> labels;  // class i of a model is labels[i]
  std::vector<Clip> clips;
  std::vector<SkippedClip> skipped;  // files that look like clips but cannot be used
  std::map<std::string, std::size_t>
      left_out;  // clips left out on purpose, counted by reason ("song", "second copy", ...)

  // Place of a label in `labels`, or -1.
  int label_index(std::string_view label) const noexcept;
};

// The words all corpora share, in this order: angry disgust fearful happy neutral sad surprised calm boredom.
const std::vector<std::string>& emotion_vocabulary();

// The shared word for another spelling of it ("ANG", "Anger", "fear", "ps"), any letter case; other text is returned as
// it is.
std::string canonical_label(std::string_view text);

// Reads a manifest; the ending tells the form: .csv is CSV, everything else JSONL.
// Paths are taken relative to the manifest's folder, or to the nearest folder above it (at most 6) in which the file
// exists. labels: the only ones accepted, in this order (a spelling of the shared vocabulary counts as its word); empty
// takes the labels found, those of the shared vocabulary first in its order, then the others by alphabet. Throws Error
// naming file:line: no path or label, an unknown label, a repeated id, broken JSON or quotes, NUL bytes or invalid
// UTF-8, a line over 1 MiB, more than a million lines. A file that does not exist is not an error here (see
// check_corpus, load_features).
Manifest read_manifest(const std::string& path, const std::vector<std::string>& labels = {});

// A manifest of clips whose labels, sexes and corpora are still as somebody wrote them, by the rules of read_manifest.
// place(i): where clip i was found, for errors. Throws Error for an unknown label and a repeated id.
Manifest manifest_of_clips(const std::string& name, std::vector<Clip> clips, const std::vector<std::string>& labels,
                           const std::function<std::string(std::size_t)>& place);

// Writes JSONL in our own form, atomically; paths become relative to its folder where they lie below it, absolute
// otherwise.
void write_manifest(const Manifest& manifest, const std::string& path);

// The clips at these places, in this order; labels and the rest stay.
Manifest subset(const Manifest& manifest, std::span<const std::size_t> clips);

// One manifest from several (ids get "corpus/" in front where two would be equal). shared_only keeps the labels that
// all have, and the others are counted in left_out; otherwise labels are united in vocabulary order. Throws Error when
// no label is shared.
Manifest merge(std::span<const Manifest> parts, bool shared_only);

// Clips per label, in label order.
std::vector<std::size_t> label_counts(const Manifest& manifest);

// Distinct speakers in sorted order.
std::vector<std::string> speakers_of(const Manifest& manifest);

// One line of a manifest.
Json clip_to_json(const Clip& clip);

}  // namespace serene
