#include "call_counter.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SERENE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SERENE_SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(SERENE_SANITIZED)

namespace {

thread_local long count = 0, freed = 0, locked = 0;

// The function of this name behind ours. Looked up without a lock of its own, since it may be the lock that is wanted.
template <class F>
F* next(F*& known, const char* name) {
  if (known == nullptr) known = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
  return known;
}

decltype(pthread_mutex_lock)* real_lock = nullptr;
decltype(pthread_mutex_trylock)* real_trylock = nullptr;
decltype(pthread_cond_wait)* real_wait = nullptr;
decltype(pthread_cond_signal)* real_signal = nullptr;
decltype(pthread_cond_broadcast)* real_broadcast = nullptr;

}  // namespace

// glibc's own allocator under its second names; operator new and Eigen come through here too.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t n) {
  ++count;
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  ++count;
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  ++count;
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  ++count;
  return __libc_memalign(alignment, n);
}
void free(void* p) {
  ++freed;
  __libc_free(p);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  ++count;
  *p = __libc_memalign(alignment, n);
  return *p != nullptr ? 0 : ENOMEM;
}

int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  ++locked;
  return next(real_lock, "pthread_mutex_lock")(m);
}
int pthread_mutex_trylock(pthread_mutex_t* m) noexcept {
  ++locked;
  return next(real_trylock, "pthread_mutex_trylock")(m);
}
int pthread_cond_wait(pthread_cond_t* c, pthread_mutex_t* m) {
  ++locked;
  return next(real_wait, "pthread_cond_wait")(c, m);
}
int pthread_cond_signal(pthread_cond_t* c) noexcept {
  ++locked;
  return next(real_signal, "pthread_cond_signal")(c);
}
int pthread_cond_broadcast(pthread_cond_t* c) noexcept {
  ++locked;
  return next(real_broadcast, "pthread_cond_broadcast")(c);
}
}

bool serene::test::counting_allocations() noexcept { return true; }
long serene::test::allocations() noexcept { return count; }
long serene::test::locks() noexcept { return locked; }
long serene::test::frees() noexcept { return freed; }

#else

bool serene::test::counting_allocations() noexcept { return false; }
long serene::test::allocations() noexcept { return 0; }
long serene::test::locks() noexcept { return 0; }
long serene::test::frees() noexcept { return 0; }

#endif
