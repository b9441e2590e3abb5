#include "serene/mpi/mpi_communicator.h"

// C alone: its C++ bindings are long gone from the standard.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <climits>
#include <cstdlib>
#include <string>
#include <vector>

#include "serene/core/error.h"

namespace serene {
namespace {

int to_count(Index n) {
  if (n > INT_MAX) throw Error(ErrorCode::internal, "mpi", "too many rows for one call").got(std::to_string(n));
  return static_cast<int>(n);
}

}  // namespace

bool started_by_mpi() noexcept {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

MpiCommunicator::MpiCommunicator() {
  int provided = 0;
  // Threads of the pool compute; the main thread alone calls MPI. Errors are fatal to all ranks, MPI's default.
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

MpiCommunicator::~MpiCommunicator() { MPI_Finalize(); }

void MpiCommunicator::gather_rows(void* rows, std::size_t row_bytes, std::span<const Index> bounds) {
  const auto ranks = static_cast<std::size_t>(size_);
  if (bounds.size() != ranks + 1) throw Error(ErrorCode::internal, "mpi", "bounds of another number of ranks");
  if (size_ == 1 || row_bytes == 0) return;
  std::vector<int> counts(ranks), starts(ranks);
  for (std::size_t r = 0; r < ranks; ++r) {
    starts[r] = to_count(bounds[r]);
    counts[r] = to_count(bounds[r + 1] - bounds[r]);
  }
  // Rows as a type of their own: counts of MPI are ints, which bytes of gradients would exceed.
  MPI_Datatype row;
  MPI_Type_contiguous(to_count(static_cast<Index>(row_bytes)), MPI_BYTE, &row);
  MPI_Type_commit(&row);
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows, counts.data(), starts.data(), row, MPI_COMM_WORLD);
  MPI_Type_free(&row);
}

void MpiCommunicator::abort(int exit_code) noexcept {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace serene
