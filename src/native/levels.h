// levels.h - CPU levels, detection and choice.
// A level counts as available only if the CPU and the operating system (XCR0) both support it.
#pragma once

namespace fewbits {

enum class Level { scalar, avx2, avx512, neon, dotprod };

inline constexpr Level all_levels[] = {Level::scalar, Level::avx2, Level::avx512, Level::neon,
                                       Level::dotprod};

const char* name(Level level);
bool available(Level level);  // compiled in, and usable on this machine
Level best_level();

}  // namespace fewbits
