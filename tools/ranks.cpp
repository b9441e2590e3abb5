#include "ranks.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "command.h"

#ifdef SERENE_WITH_MPI
#include "serene/mpi/mpi_communicator.h"
#endif

namespace serene::cli {
namespace {

// What has become of a step on one rank, as it travels.
struct StepResult {
  int failed = 0;
  ErrorCode code = ErrorCode::internal;
  char text[1000] = {};
};

// An error that all ranks know of.
struct Agreed : Error {
  using Error::Error;
};

StepResult result_of(const std::function<void()>& step) {
  StepResult r;
  const auto failed = [&](ErrorCode code, const char* text) {
    r.failed = 1, r.code = code;
    std::strncpy(r.text, text, sizeof r.text - 1);
  };
  try {
    step();
  } catch (const Error& e) {
    failed(e.code(), e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    failed(ErrorCode::input, e.what());
  } catch (const std::exception& e) {
    failed(ErrorCode::internal, e.what());
  }
  return r;
}

#ifdef SERENE_WITH_MPI
std::unique_ptr<Communicator> join_ranks() { return started_by_mpi() ? std::make_unique<MpiCommunicator>() : nullptr; }

// An error that every rank runs into, such as a loss that is not finite, is rank 0's to tell: it ends the others.
[[noreturn]] void end_all(int rank) {
  if (rank > 0) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    std::fprintf(stderr, "serene: rank %d has failed:\n", rank);
  }
  MpiCommunicator::abort(report_exception());
}
#else
std::unique_ptr<Communicator> join_ranks() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* ranks = std::getenv(name);
    if (ranks == nullptr || std::atoi(ranks) < 2) continue;
    throw Error(ErrorCode::usage, "mpirun", "this serene was built without MPI")
        .hint("build it with -DSERENE_WITH_MPI=ON, or start it alone");
  }
  return nullptr;
}

[[noreturn]] void end_all(int) { std::exit(report_exception()); }
#endif

}  // namespace

Ranks::Ranks() : communicator_(join_ranks()) {
  if (!first()) be_silent();
}

Ranks::~Ranks() = default;

int Ranks::run(const std::function<int()>& work) {
  if (communicator_ == nullptr) return work();
  try {
    return work();
  } catch (const Agreed& e) {
    return first() ? report_exception() : exit_code(e.code());
  } catch (...) {
    end_all(communicator_->rank());
  }
}

void Ranks::together(const std::function<void()>& step) {
  if (communicator_ == nullptr) return step();
  const auto size = static_cast<std::size_t>(communicator_->size());
  std::vector<StepResult> all(size);
  std::vector<Index> bounds(size + 1);
  share_out(communicator_->size(), bounds);
  all[static_cast<std::size_t>(communicator_->rank())] = result_of(step);
  communicator_->gather_rows(all.data(), sizeof(StepResult), bounds);
  for (std::size_t r = 0; r < size; ++r) {
    if (all[r].failed == 0) continue;
    throw Agreed(all[r].code, r > 0 ? "rank " + std::to_string(r) : "", all[r].text);
  }
}

void Ranks::first_then_others(const std::function<void()>& step) {
  if (communicator_ == nullptr) return step();
  together([&] {
    if (first()) step();
  });
  together([&] {
    if (!first()) step();
  });
}

}  // namespace serene::cli
