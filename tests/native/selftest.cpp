// selftest.cpp - every kernel of every available level against the scalar kernel, bit for bit.
//   selftest        the checks; the last line says "N passed, M failed", the status is 1 on failure
//   selftest bench  payload bytes per second of every kernel, 100,000 rows of 384 dimensions
#include "bench.h"
#include "check_trellis_block.h"
#include "check_trellis_dot.h"
#include "check_trellis_encode.h"
#include "encoder_attend.h"
#include "encoder_gemm_f32.h"
#include "encoder_gemm_u8.h"
#include "encoder_rows.h"

int main(int count, char** arguments) {
  std::vector<fewbits::Kernels> levels;  // the scalar level comes first
  for (const fewbits::Level level : fewbits::all_levels) {
    if (fewbits::available(level)) levels.push_back(fewbits::kernels_of(level));
  }
  if (count > 1 && std::string(arguments[1]) == "bench") {
    check::bench_dots(levels, 100000, 384);
    check::bench_epilogue(levels, 100096);
    check::bench_encode(levels, 2000, 384);
    return 0;
  }
  Tally tally;
  check::check_dots(levels, tally);
  check::check_selects(levels, tally);
  check::check_encodes(levels, tally);
  check::check_trellis_encodes(levels, tally);
  check::check_trellis_dots(levels, tally);
  check::check_trellis_tails(levels, tally);
  check::check_trellis_blocks(levels, tally);
  for (const fewbits::Kernels& level : levels) {
    check::check_gemm_u8(name(level.level), level.encoder_gemm_u8, tally);
    check::check_encoder_gemm_f32(level.encoder_gemm_f32, name(level.level), tally);
    check::check_attend(level.encoder_attend, tally, name(level.level));
    check::check_rows(*levels[0].encoder_rows, *level.encoder_rows, tally);
  }
  for (const fewbits::Kernels& level : levels) std::printf("level %s\n", name(level.level));
  std::printf("%ld passed, %ld failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
