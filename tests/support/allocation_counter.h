// Counts allocations of the calling thread. The counting functions stand in tests/nn/allocation_counter.cpp and replace
// malloc in the program that holds them; under a sanitizer, or without glibc, nothing is counted and counting() is
// false.
#pragma once

namespace serene::test {

bool counting_allocations() noexcept;
long allocations() noexcept;  // since the thread began

}  // namespace serene::test
