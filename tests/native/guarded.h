// guarded.h - memory that ends at an unreadable page, random numbers, and the count of checks.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

// A buffer whose last byte is followed by a page that no one may touch.
class Guarded {
 public:
  explicit Guarded(size_t capacity) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (capacity + page - 1) / page * page;
    const int access = PROT_READ | PROT_WRITE;
    void* at = mmap(nullptr, size_ + page, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    base_ = static_cast<uint8_t*>(at);
    if (mprotect(base_ + size_, page, PROT_NONE) != 0) std::abort();
    page_ = page;
  }
  ~Guarded() { munmap(base_, size_ + page_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  // `bytes` bytes that end `slack` bytes before the guard page.
  uint8_t* ending(size_t bytes, size_t slack = 0) const {
    if (bytes + slack > size_) std::abort();
    return base_ + size_ - slack - bytes;
  }

 private:
  uint8_t* base_ = nullptr;
  size_t size_ = 0, page_ = 0;
};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint32_t bits() {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>((state_ * 0x2545f4914f6cdd1du) >> 32);
  }
  int below(int limit) { return static_cast<int>(bits() % static_cast<uint32_t>(limit)); }
  float signed_unit() { return static_cast<float>(static_cast<int32_t>(bits())) * 0x1p-31f; }

 private:
  uint64_t state_;
};

struct Tally {
  long passed = 0, failed = 0;

  // Compares bytes; tells the first few differences.
  void same(const void* got, const void* wanted, size_t bytes, const std::string& what) {
    if (std::memcmp(got, wanted, bytes) == 0) {
      ++passed;
      return;
    }
    const uint8_t* a = static_cast<const uint8_t*>(got);
    const uint8_t* b = static_cast<const uint8_t*>(wanted);
    size_t at = 0;
    while (a[at] == b[at]) ++at;
    if (failed++ < 20) std::printf("differs at byte %zu of %zu: %s\n", at, bytes, what.c_str());
  }
};
