// The ranks of an MPI job (mpirun -n 4 serene train ...) as a Communicator. Only the program links it, as serene::mpi.
#pragma once

#include "serene/core/communicator.h"

namespace serene {

// True when a launcher of MPI jobs has started this process (Open MPI, MPICH and their kin tell it by the environment).
bool started_by_mpi() noexcept;

// MPI_COMM_WORLD. One object a process, since MPI can be started once alone; an error within MPI ends all ranks.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator();   // starts MPI
  ~MpiCommunicator();  // ends it, when every rank has come here; must not be reached on the way out of an error
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  void gather_rows(void* rows, std::size_t row_bytes, std::span<const Index> bounds) override;

  // Ends all ranks; mpirun then exits with this code.
  [[noreturn]] static void abort(int exit_code) noexcept;

 private:
  int rank_ = 0, size_ = 1;
};

}  // namespace serene
