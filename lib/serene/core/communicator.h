// Processes that train one model together. Each has a rank; all make the same calls in the same order.
//
// There is one operation: rows that the ranks have written in turn are brought together, so that every rank holds all
// of them and can add them up in the same order. No sum is ever left to the network, whose order could be another.
// serene/mpi/mpi_communicator.h is the one over MPI.
#pragma once

#include <cstddef>
#include <span>

#include "serene/core/types.h"

namespace serene {

// Used by one thread of each process at a time.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const noexcept = 0;  // 0 to size() - 1
  virtual int size() const noexcept = 0;  // at least 1

  // rows: bounds.back() rows of row_bytes bytes, one behind the other. Rank r has written the rows bounds[r] up to
  // bounds[r + 1] (none where they are equal); on return every rank holds all of them. bounds: size() + 1 numbers, the
  // same on every rank, as is row_bytes. Does not return when a rank has died: the whole run then ends.
  virtual void gather_rows(void* rows, std::size_t row_bytes, std::span<const Index> bounds) = 0;
};

// `count` things shared out over ranks: rank r of `ranks` has those from share_begin(r) up to share_begin(r + 1), as
// even as can be.
inline Index share_begin(Index count, Index rank, Index ranks) { return count * rank / ranks; }

// bounds[r] = share_begin(r) for r = 0 .. ranks.
inline void share_out(Index count, std::span<Index> bounds) {
  const auto ranks = static_cast<Index>(bounds.size()) - 1;
  for (Index r = 0; r <= ranks; ++r) bounds[static_cast<std::size_t>(r)] = share_begin(count, r, ranks);
}

}  // namespace serene
