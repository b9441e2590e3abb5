// Ranks of a parallel run as threads of one process: the executor and the trainer over several ranks, without MPI.
#pragma once

#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

#include "serene/core/communicator.h"

namespace serene::test {

class ThreadRanks {
 public:
  explicit ThreadRanks(int ranks) : buffers_(static_cast<std::size_t>(ranks)), all_(ranks) {}

  // Calls work(communicator) on every rank at once; it must not throw.
  template <class Work>
  void run(Work&& work) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < static_cast<int>(buffers_.size()); ++rank) {
      threads.emplace_back([&, rank] {
        Rank communicator(*this, rank);
        work(communicator);
      });
    }
    for (std::thread& t : threads) t.join();
  }

  long gathered() const { return gathered_; }  // calls of rank 0

 private:
  class Rank final : public Communicator {
   public:
    Rank(ThreadRanks& ranks, int rank) : ranks_(ranks), rank_(rank) {}
    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return static_cast<int>(ranks_.buffers_.size()); }

    void gather_rows(void* rows, std::size_t row_bytes, std::span<const Index> bounds) override {
      ranks_.buffers_[static_cast<std::size_t>(rank_)] = static_cast<char*>(rows);
      if (rank_ == 0) ++ranks_.gathered_;
      ranks_.all_.arrive_and_wait();
      for (std::size_t r = 0; r < ranks_.buffers_.size(); ++r) {
        const std::size_t first = static_cast<std::size_t>(bounds[r]) * row_bytes;
        const std::size_t count = static_cast<std::size_t>(bounds[r + 1] - bounds[r]) * row_bytes;
        if (static_cast<int>(r) == rank_ || count == 0) continue;
        std::memcpy(static_cast<char*>(rows) + first, ranks_.buffers_[r] + first, count);
      }
      ranks_.all_.arrive_and_wait();
    }

   private:
    ThreadRanks& ranks_;
    int rank_;
  };

  std::vector<char*> buffers_;
  std::barrier<> all_;
  long gathered_ = 0;
};

}  // namespace serene::test
