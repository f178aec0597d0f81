// team.h - threads that walk one piece of work in step.
// Every member runs the same code on its own share and meets the others at wait(). Waiting spins
// for some microseconds, the length of a stage on a short text, before it gives the core away.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "../pause.h"

namespace fewbits::encoder {

class Team {
 public:
  explicit Team(size_t size) : size_(size) {}
  size_t size() const { return size_; }
  void shrink(size_t size) { size_ = size; }  // before any member starts

  void wait() {
    if (size_ == 1) return;
    const size_t phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (size_t spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
      if (spins < 2000) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  size_t size_;
  alignas(64) std::atomic<size_t> arrived_{0};
  alignas(64) std::atomic<size_t> phase_{0};
};

struct Share {
  size_t begin, end;
  bool empty() const { return begin == end; }
};

// One thread's view of its team.
struct Member {
  Team& team;
  size_t index;

  // This member's part of [0, n), in whole blocks of `block` but for the last.
  Share share(size_t n, size_t block = 1) const {
    const size_t blocks = (n + block - 1) / block;
    return {std::min(n, blocks * index / team.size() * block),
            std::min(n, blocks * (index + 1) / team.size() * block)};
  }
  void wait() const { team.wait(); }
};

// body(member) on up to `size` threads at once: fewer where the system has no more. A body must not
// throw, since the others would wait for it.
template <typename Body>
void run_team(size_t size, const Body& body) {
  Team team(size);
  std::atomic<bool> started{false};
  std::vector<std::thread> threads;
  threads.reserve(size);
  while (threads.size() + 1 < size) {
    try {
      threads.emplace_back([&, index = threads.size() + 1] {
        while (!started.load(std::memory_order_acquire)) std::this_thread::yield();
        body(Member{team, index});
      });
    } catch (const std::system_error&) {
      break;
    }
  }
  team.shrink(threads.size() + 1);
  started.store(true, std::memory_order_release);
  body(Member{team, 0});
  for (std::thread& thread : threads) thread.join();
}

}  // namespace fewbits::encoder
