// team.h - threads that walk one piece of work in step.
// Every member runs the same code on its own share and meets the others at wait(). Waiting spins
// for some microseconds, the length of a stage on a short text, before it gives the core away.
// Where other programs keep the cores busy each meeting can cost a time slice: a team notices, and
// for a while its callers had better work alone.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "../pause.h"

namespace fewbits::encoder {

// Whether teams had to wait long lately.
class Crowd {
 public:
  using Clock = std::chrono::steady_clock;

  bool lately() const { return Clock::now().time_since_epoch().count() < until_.load(); }
  void note() { until_.store((Clock::now() + std::chrono::seconds(1)).time_since_epoch().count()); }

 private:
  std::atomic<Clock::rep> until_{0};
};

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
    for (size_t spins = 0; spins < 2000; ++spins) {
      if (phase_.load(std::memory_order_acquire) != phase) return;
      pause();
    }
    const Crowd::Clock::time_point start = Crowd::Clock::now();
    while (phase_.load(std::memory_order_acquire) == phase) std::this_thread::yield();
    if (Crowd::Clock::now() - start > std::chrono::milliseconds(1)) crowded_.store(true);
  }

  bool crowded() const { return crowded_.load(); }  // a member waited for more than 1 ms

 private:
  size_t size_;
  alignas(64) std::atomic<size_t> arrived_{0};
  alignas(64) std::atomic<size_t> phase_{0};
  std::atomic<bool> crowded_{false};
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
void run_team(size_t size, Crowd& crowd, const Body& body) {
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
  if (team.crowded()) crowd.note();
}

}  // namespace fewbits::encoder
