// pause.h - a hint to the CPU that the thread is waiting for another one.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fewbits {

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace fewbits
