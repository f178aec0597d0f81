// The most INT8 operations per second: vpdpbusd on registers alone, no load and no store.
//
//     peak THREADS [MILLISECONDS]
//
// Prints {"best": ..., "median": ...} in GOP/s, multiply and add counted as two; threads run
// together, every thread times blocks of some 30 microseconds, and their figures are added up.
// Exit code 3: this CPU has no AVX-512 VNNI.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

#define DOT(i) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #i "\n\t"

// 24 sums: more than latency (5) times issue rate (2) needs, so that throughput is what counts.
constexpr int kSums = 24;
constexpr int kLoops = 8000;
constexpr double kOperations = 128.0 * kSums * kLoops;  // 64 products and 64 sums an instruction

double now() {
    const auto t = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(t).count();
}

// One asm block on fixed registers: nothing here can end up in memory.
__attribute__((target("avx512f"), noinline)) void block() {
    int left = kLoops;
    asm volatile(
        "vpbroadcastd %1, %%zmm30\n\t"
        "vpbroadcastd %1, %%zmm31\n"
        "1:\n\t" DOT(0) DOT(1) DOT(2) DOT(3) DOT(4) DOT(5) DOT(6) DOT(7) DOT(8) DOT(9) DOT(10)
            DOT(11) DOT(12) DOT(13) DOT(14) DOT(15) DOT(16) DOT(17) DOT(18) DOT(19) DOT(20)
                DOT(21) DOT(22) DOT(23) "dec %0\n\tjnz 1b"
        : "+r"(left)
        : "r"(0x01020304)
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",
          "xmm20", "xmm21", "xmm22", "xmm23", "xmm30", "xmm31");
}

std::vector<double> rates(double seconds, std::atomic<int>& missing) {
    std::vector<double> found;
    found.reserve(1 << 16);
    missing.fetch_sub(1);
    while (missing.load() > 0) {
    }
    for (const double end = now() + seconds; now() < end;) {
        const double begin = now();
        block();
        found.push_back(kOperations / (now() - begin) / 1e9);
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

int main(int count, char** words) {
    if (!__builtin_cpu_supports("avx512vnni")) {
        return 3;
    }
    const int threads = count > 1 ? std::atoi(words[1]) : 1;
    const double seconds = (count > 2 ? std::atof(words[2]) : 300.0) / 1e3;
    std::atomic<int> missing{threads};
    std::vector<std::vector<double>> found(threads);
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&, i] { found[i] = rates(seconds, missing); });
    }
    double best = 0, median = 0;
    for (int i = 0; i < threads; ++i) {
        running[i].join();
        best += found[i].back();
        median += found[i][found[i].size() / 2];
    }
    std::printf("{\"best\": %.1f, \"median\": %.1f}\n", best, median);
}
