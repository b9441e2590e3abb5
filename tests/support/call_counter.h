// Counts what must not happen in real time: allocations and locks of the calling thread. The counting functions replace
// malloc and pthread_mutex_lock in the programs that link the object library serene_test_counter; under a sanitizer, or
// without glibc, nothing is counted and counting_allocations() is false.
#pragma once

namespace serene::test {

bool counting_allocations() noexcept;  // and locks
long allocations() noexcept;           // since the thread began
long locks() noexcept;                 // mutexes taken, conditions waited for and told, of the thread
long frees() noexcept;                 // memory given back

}  // namespace serene::test
