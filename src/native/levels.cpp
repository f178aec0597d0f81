#include "levels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <cstdint>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace fewbits {

const char* name(Level level) {
  switch (level) {
    case Level::scalar: return "scalar";
    case Level::avx2: return "avx2";
    case Level::avx512: return "avx512";
    case Level::neon: return "neon";
    case Level::dotprod: return "dotprod";
  }
  return "unknown";
}

#if defined(__x86_64__)
namespace {

struct Features {
  bool avx2 = false;
  bool avx512 = false;
};

uint64_t xcr0() {
  uint32_t eax = 0;
  uint32_t edx = 0;
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (static_cast<uint64_t>(edx) << 32) | eax;
}

Features detect() {
  Features found;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const bool osxsave = c & (1u << 27);
  const bool f16c = c & (1u << 29);
  const bool fma = c & (1u << 12);
  if (!osxsave || !f16c || !fma) return found;
  const uint64_t state = xcr0();
  uint32_t b7, c7;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d)) return found;
  const bool ymm = (state & 0x6) == 0x6;     // SSE and AVX registers are saved
  const bool zmm = (state & 0xe6) == 0xe6;   // and the AVX-512 mask and upper registers
  found.avx2 = ymm && (b7 & (1u << 5));
  const uint32_t foundation = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F DQ BW VL
  const uint32_t extras = (1u << 1) | (1u << 6) | (1u << 11) | (1u << 14);  // VBMI VBMI2 VNNI VPOPCNTDQ
  found.avx512 = found.avx2 && zmm && (b7 & foundation) == foundation && (c7 & extras) == extras;
  return found;
}

}  // namespace
#elif defined(__aarch64__)
namespace {

bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  return true;  // every 64-bit ARM Mac has it
#else
  return false;
#endif
}

}  // namespace
#endif

bool available(Level level) {
  if (level == Level::scalar) return true;
#if defined(__x86_64__)
  static const Features found = detect();
  (void)found;
#if defined(FEWBITS_HAVE_AVX2)
  if (level == Level::avx2) return found.avx2;
#endif
#if defined(FEWBITS_HAVE_AVX512)
  if (level == Level::avx512) return found.avx512;
#endif
#elif defined(__aarch64__)
  if (level == Level::neon) return true;  // Advanced SIMD is part of the ABI floor
#if defined(FEWBITS_HAVE_DOTPROD)
  if (level == Level::dotprod) return has_dotprod();
#endif
#endif
  return false;
}

Level best_level() {
  Level best = Level::scalar;
  for (Level level : all_levels) {
    if (available(level)) best = level;
  }
  return best;
}

}  // namespace fewbits
