// threads.h - a parallel loop on std::thread: no OpenMP, no pool to survive a fork.
// Threads live for one call; work is split into equal contiguous ranges. A body that throws stops
// nothing else; the first exception is rethrown in the caller.
#pragma once
#include <algorithm>
#include <cstddef>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace fewbits {

// body(part, begin, end) for each of at most `parts` contiguous ranges of [0, n).
template <typename Body>
void parallel_ranges(size_t n, size_t parts, const Body& body) {
  parts = std::max<size_t>(1, std::min(parts, n));
  std::vector<std::exception_ptr> errors(parts);
  const auto run = [&](size_t part) {
    try {
      body(part, n * part / parts, n * (part + 1) / parts);
    } catch (...) {
      errors[part] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(parts);
  for (size_t part = 1; part < parts; ++part) {
    try {
      threads.emplace_back(run, part);
    } catch (const std::system_error&) {
      run(part);  // the system is out of threads: do the work here
    }
  }
  run(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace fewbits
