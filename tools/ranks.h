// The processes of one parallel training run: `mpirun -n 4 serene train ...` starts four ranks of it. Rank 0 speaks and
// writes; the others stay silent. Without a launcher there is one rank and none of this shows.
#pragma once

#include <functional>
#include <memory>

#include "serene/core/communicator.h"

namespace serene::cli {

class Ranks {
 public:
  // Starts MPI when a launcher of MPI jobs has started this process. Throws Error(usage) when there are other ranks but
  // the program was built without MPI.
  Ranks();
  ~Ranks();

  Communicator* communicator() const noexcept { return communicator_.get(); }  // nullptr: one process alone
  bool first() const noexcept { return communicator_ == nullptr || communicator_->rank() == 0; }

  // The rank's whole work. An error outside of together() ends all ranks: one line, mpirun exits with the error's code.
  // Returns the exit code.
  int run(const std::function<int()>& work);
  // A step that all ranks take at once. When it fails on any, it fails on all with the error of the lowest of them,
  // which rank 0 reports.
  void together(const std::function<void()>& step);
  // The same with rank 0 ahead of the others, so that these find its files.
  void first_then_others(const std::function<void()>& step);

 private:
  std::unique_ptr<Communicator> communicator_;
};

}  // namespace serene::cli
