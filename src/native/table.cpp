#include "table.h"

#include <atomic>

#include "dot_b1/dot_b1.h"
#include "dot_i8/dot_i8.h"
#include "dot_trit/dot_trit.h"
#include "dot_u4/dot_u4.h"
#include "hamming/hamming.h"

namespace fewbits {
namespace {

#if defined(FEWBITS_HAVE_DOTPROD)
// A level that differs from the one below in one kernel.
Kernels with_gemm_u8(Level level, Level below, encoder::GemmU8Fn* kernel) {
  Kernels row{};
  row.level = level;
  row.below = below;
  row.encoder_gemm_u8 = kernel;
  return row;
}
#endif

const Kernels rows[] = {
    {Level::scalar, Level::scalar, dot_i8_scalar, dot_u4_scalar, dot_trit_scalar, dot_b1_scalar,
     dot_f16_scalar, hamming_scalar, epilogue_scalar, encode_scalar,
     select_scalar, trellis::project_scalar, trellis::path_scalar, &trellis::rows_scalar,
     &trellis::block_scalar, trellis::dot_scalar, &trellis::tail_scalar,
     &trellis::ready_scalar, encoder::gemm_u8_scalar, encoder::gemm_f32_scalar, encoder::attend_scalar,
     &encoder::rows_scalar},
#if defined(FEWBITS_HAVE_AVX2)
    {Level::avx2, Level::scalar, dot_i8_avx2, dot_u4_avx2, dot_trit_avx2, dot_b1_avx2,
     dot_f16_avx2, hamming_avx2, nullptr, encode_avx2, select_avx2,
     trellis::project_avx2, trellis::path_avx2, &trellis::rows_avx2,
     &trellis::block_avx2, trellis::dot_avx2, &trellis::tail_avx2,
     &trellis::ready_avx2, encoder::gemm_u8_avx2, encoder::gemm_f32_avx2, encoder::attend_avx2,
     &encoder::rows_avx2},
#endif
#if defined(FEWBITS_HAVE_AVX512)
    {Level::avx512, Level::avx2, dot_i8_avx512, dot_u4_avx512, dot_trit_avx512, dot_b1_avx512,
     dot_f16_avx512, hamming_avx512, nullptr, encode_avx512, select_avx512,
     trellis::project_avx512, trellis::path_avx512, &trellis::rows_avx512,
     &trellis::block_avx512, trellis::dot_avx512, &trellis::tail_avx512,
     &trellis::ready_avx512, encoder::gemm_u8_avx512, encoder::gemm_f32_avx512, encoder::attend_avx512,
     &encoder::rows_avx512},
#endif
#if defined(FEWBITS_HAVE_NEON)
    {Level::neon, Level::scalar, dot_i8_neon, dot_u4_neon, dot_trit_neon, dot_b1_neon,
     dot_f16_neon, hamming_neon, nullptr, encode_neon, nullptr,
     trellis::project_neon, trellis::path_neon, &trellis::rows_neon,
     &trellis::block_neon, trellis::dot_neon, &trellis::tail_neon,
     &trellis::ready_neon, encoder::gemm_u8_neon, encoder::gemm_f32_neon, encoder::attend_neon,
     &encoder::rows_neon},
#endif
#if defined(FEWBITS_HAVE_DOTPROD)
    with_gemm_u8(Level::dotprod, Level::neon, encoder::gemm_u8_dotprod),
#endif
};

const Kernels& row_of(Level level) {
  for (const Kernels& row : rows) {
    if (row.level == level) return row;
  }
  return rows[0];
}

template <typename Fn>
void inherit(Fn*& cell, Fn* from) {
  if (cell == nullptr) cell = from;
}

std::atomic<Level>& current() {
  static std::atomic<Level> level{best_level()};
  return level;
}

}  // namespace

Kernels kernels_of(Level level) {
  Kernels filled = row_of(level);
  for (Level at = filled.level; at != Level::scalar;) {
    const Kernels& below = row_of(row_of(at).below);
    inherit(filled.dot_i8, below.dot_i8);
    inherit(filled.dot_u4, below.dot_u4);
    inherit(filled.dot_trit, below.dot_trit);
    inherit(filled.dot_b1, below.dot_b1);
    inherit(filled.dot_f16, below.dot_f16);
    inherit(filled.hamming, below.hamming);
    inherit(filled.epilogue, below.epilogue);
    inherit(filled.encode, below.encode);
    inherit(filled.select, below.select);
    inherit(filled.trellis_project, below.trellis_project);
    inherit(filled.trellis_path, below.trellis_path);
    inherit(filled.trellis_rows, below.trellis_rows);
    inherit(filled.trellis_block, below.trellis_block);
    inherit(filled.trellis_dot, below.trellis_dot);
    inherit(filled.trellis_tail, below.trellis_tail);
    inherit(filled.trellis_ready, below.trellis_ready);
    inherit(filled.encoder_gemm_u8, below.encoder_gemm_u8);
    inherit(filled.encoder_gemm_f32, below.encoder_gemm_f32);
    inherit(filled.encoder_attend, below.encoder_attend);
    inherit(filled.encoder_rows, below.encoder_rows);
    at = below.level;
  }
  return filled;
}

Level active_level() { return current().load(std::memory_order_relaxed); }
void set_active_level(Level level) { current().store(level, std::memory_order_relaxed); }

}  // namespace fewbits
