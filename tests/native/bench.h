// bench.h - payload bytes per second of every kernel and level on one thread, to compare runs.
#pragma once
#include <algorithm>
#include <chrono>

#include "check_rest.h"

namespace check {

struct Timing {
  double best, median;
};

template <typename Body>
Timing time_of(const Body& body) {
  std::vector<double> seconds;
  for (int run = 0; run < 20; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    seconds.push_back(elapsed.count());
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

inline void report(const char* kernel, const char* level, size_t planes, size_t bytes, Timing t) {
  const double size = static_cast<double>(bytes);
  std::printf("%-10s %-7s %zu  best %7.3f ms %6.2f GB/s  median %7.3f ms %6.2f GB/s\n", kernel,
              level, planes, t.best * 1e3, size / t.best / 1e9, t.median * 1e3,
              size / t.median / 1e9);
}

// The limit: a loop that only reads, 2 KiB ahead of itself. Four sums do not wait for each other.
inline uint64_t read_all(const uint8_t* at, size_t bytes) {
  typedef uint64_t words __attribute__((vector_size(64), aligned(1), may_alias));
  words sum[4] = {};
  for (size_t b = 0; b + 256 <= bytes; b += 256) {
    for (size_t s = 0; s < 4; ++s) {
      __builtin_prefetch(at + b + 64 * s + 2048);
      sum[s] += *reinterpret_cast<const words*>(at + b + 64 * s);
    }
  }
  const words all = sum[0] + sum[1] + sum[2] + sum[3];
  return all[0] ^ all[3] ^ all[7];
}

inline void bench_dots(const std::vector<Kernels>& levels, size_t n, size_t d) {
  constexpr size_t chunk = 256;  // rows per call, as in the scan
  Random random(3);
  std::vector<float> out(n);
  const Guarded memory(16 * d);
  for (const Column& column : columns) {
    const size_t stride = payload_bytes(column.packing, d) + (column.hamming ? 0 : 8);
    std::vector<uint8_t> rows(n * stride);
    for (size_t i = 0; i < n; ++i) {
      fill_row(column, Pattern::random, d, random, rows.data() + i * stride);
    }
    const size_t payload = n * payload_bytes(column.packing, d);
    volatile uint64_t sink = 0;
    report("read", column.name, 0, rows.size(),
           time_of([&] { sink = sink + read_all(rows.data(), rows.size()); }));
    const size_t most = column.hamming || column.packing == Packing::f16 ? 1 : 2;
    for (size_t planes = 1; planes <= most; ++planes) {
      const QueryView query = query_of(column, Pattern::random, d, planes, random, memory);
      for (const Kernels& level : levels) {
        DotFn* const dot = level.*column.kernel;
        report(column.name, name(level.level), planes, payload, time_of([&] {
                 for (size_t i = 0; i < n; i += chunk) {
                   dot(rows.data() + i * stride, std::min(chunk, n - i), stride, d,
                       query, out.data() + i);
                 }
               }));
      }
    }
  }
}

// Factors of rows that a dot kernel has just read: 256 rows at a time stay in the nearest cache.
inline void bench_epilogue(const std::vector<Kernels>& levels, size_t n) {
  constexpr size_t rows = 256;
  for (const int flags : {1, 5, 7}) {
    const Factors factors = factors_of(flags, 48);
    const size_t stride = 48 + factor_bytes(factors);
    std::vector<uint8_t> codes(rows * stride, 0);
    std::vector<float> values(rows, 1);
    for (const Kernels& level : levels) {
      report("epilogue", name(level.level), static_cast<size_t>(flags), n * factor_bytes(factors),
             time_of([&] {
               for (size_t i = 0; i < n; i += rows) {
                 level.epilogue(codes.data(), rows, stride, factors, 0.5f, 1.0f, values.data());
               }
             }));
    }
  }
}

// Rates of the float32 input, row steps, all factors corrected.
inline void bench_encode(const std::vector<Kernels>& levels, size_t n, size_t d) {
  Random random(5);
  std::vector<float> x(n * d), mean(padded(d), 0), step(padded(d), 1), scratch(3 * padded(d));
  for (float& value : x) value = random.signed_unit();
  for (const Bounds& bound : bounds) {
    EncodePlan plan;
    plan.packing = bound.packing;
    plan.step_rule = Step::row;
    plan.d = d;
    plan.normalise = true;
    plan.correct = true;
    plan.sign = bound.packing == Packing::b1;
    plan.low = bound.low;
    plan.high = bound.high;
    plan.high_c = bound.high_c;
    plan.factors = factors_of(7, payload_bytes(bound.packing, d));
    plan.stride = plan.factors.offset + 12;
    plan.mean = plan.zero = mean.data();
    plan.step = step.data();
    std::vector<uint8_t> out(n * plan.stride);
    static const char* const names[] = {"encode_i8", "encode_u4", "encode_tri", "encode_b1",
                                        "encode_f16"};
    for (const Kernels& level : levels) {
      report(names[static_cast<int>(bound.packing)], name(level.level), 0, x.size() * sizeof(float),
             time_of([&] { level.encode(x.data(), n, plan, scratch.data(), out.data()); }));
    }
  }
}

}  // namespace check
