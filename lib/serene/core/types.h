// Index type and shapes shared by every part of serene.
#pragma once

#include <cstddef>
#include <string>

namespace serene {

// Sizes, places and counts of scalars; signed, so that differences are plain.
using Index = std::ptrdiff_t;

// Shape of a batch of sequences: row-major (batch, time, channels), channels fastest.
// A vector per sample is a sequence of time 1.
struct Shape {
  Index batch = 0;
  Index time = 0;
  Index channels = 0;

  Index size() const { return batch * time * channels; }  // scalars
  bool operator==(const Shape&) const = default;
};

// "(64, 300, 40)".
inline std::string to_string(const Shape& s) {
  std::string text = "(";  // appended piece by piece: g++ 12 warns of an overlap that is none in "(" + std::string
  text += std::to_string(s.batch) + ", " + std::to_string(s.time) + ", " + std::to_string(s.channels) + ")";
  return text;
}

// A view of a batch of sequences in memory that somebody else owns.
//
// lengths[b] (0 <= lengths[b] <= time) is the number of valid frames of sample b; nullptr means all frames are valid.
// Frames at and after lengths[b] are padding: every layer gives for sample b what it would give for the sample alone,
// whatever the padding holds (see nn/layer.h).
template <class S>
struct SeqView {
  S* data = nullptr;
  Shape shape;
  const Index* lengths = nullptr;

  // Where sample b, and frame t of it, begin.
  S* sample(Index b) const { return data + b * shape.time * shape.channels; }
  S* frame(Index b, Index t) const { return data + (b * shape.time + t) * shape.channels; }
  Index length(Index b) const { return lengths != nullptr ? lengths[b] : shape.time; }  // valid frames of sample b

  operator SeqView<const S>() const { return {data, shape, lengths}; }  // the same, for reading
};

}  // namespace serene
