// sift_avx512.h - sums, tails, bound and comparison of 64 rows without leaving the registers.
// Include inside an anonymous namespace after dot/avx512.h, dot/walk.h and tail.h.
//
// The bound need not be exact: what it rounds otherwise lies within the slack of ScoreTerms::err.

constexpr int sift_blocks = 8;

// bound = (sum * weight + v_low) * s + (byte of b * b_step + low), err included.
struct SiftTerms {
  __m512 weight, v_low, s_step, s_low, b_step, low, threshold;

  SiftTerms(const PlaneView& query, const TailForm& form, const ScoreTerms& terms, float limit) {
    const float most_s = most(form.s_low, form.s_step), most_b = most(form.b_low, form.b_step);
    const bool positive = form.s_low >= 0;  // then v takes the error along
    const float v_error = positive ? terms.err[0] : 0.0f;
    const float error = (positive ? 0.0f : most_s * terms.err[0]) + most_b * terms.err[1];
    const float t = terms.t[0];
    weight = _mm512_set1_ps(2.0f * query.weight[0]);
    v_low = _mm512_set1_ps(v_error - static_cast<float>(query.base2[0]) * query.weight[0]);
    s_step = _mm512_set1_ps(form.s_step);
    s_low = _mm512_set1_ps(form.s_low);
    b_step = _mm512_set1_ps(t * form.b_step);
    low = _mm512_set1_ps((t * form.b_low + terms.gamma[0]) + (error + terms.err[2]));
    threshold = _mm512_set1_ps(limit);
  }

  static float most(float low, float step) {
    return std::fmax(std::fabs(low), std::fabs(low + 255.0f * step));
  }

  // Of 16 rows. ends: the last 4 bytes of each, which are s and b from the third on.
  uint32_t operator()(__m512i sums, __m512i ends) const {
    const __m512i s_byte = _mm512_and_si512(_mm512_srli_epi32(ends, 16), _mm512_set1_epi32(255));
    const __m512 s = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(s_byte), s_step), s_low);
    const __m512 b_byte = _mm512_cvtepi32_ps(_mm512_srli_epi32(ends, 24));
    const __m512 rest = _mm512_fmadd_ps(b_byte, b_step, low);
    const __m512 v = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), weight, v_low);
    return _mm512_cmp_ps_mask(_mm512_fmadd_ps(v, s, rest), threshold, _CMP_NLT_UQ);
  }
};

// The last 4 bytes of 16 rows: the upper halves of their words, or as they lie in memory.
inline __m512i row_ends(const uint8_t* rows, size_t stride, const uint64_t* words) {
  if (words != nullptr) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                           30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_permutex2var_epi32(_mm512_load_si512(words), odd,
                                     _mm512_load_si512(words + lanes));
  }
  const __m512i row = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i at = _mm512_mullo_epi32(row, _mm512_set1_epi32(static_cast<int>(stride)));
  return _mm512_i32gather_epi32(at, rows + stride - sizeof(uint32_t), 1);
}

inline void sift_rows(const uint8_t* rows, size_t n, const ProgramView& program,
                      const PlaneView& query, const TailForm& form, const ScoreTerms& terms,
                      float threshold, uint64_t* pass) {
  constexpr size_t count = lanes * sift_blocks;
  alignas(64) WordTile<sift_blocks> tile;
  Sums<sift_blocks, 1> sum;
  const SiftTerms bound(query, form, terms, threshold);
  const Piece& last = program.piece[program.pieces - 1];
  const size_t end = static_cast<size_t>(program.offset[last.load_end - 1] + 16);
  const uint64_t* words = end == form.stride
      ? tile + (2 * (last.load_end - last.load_begin) - 1) * count : nullptr;
  size_t i = 0;
  for (; i + count <= n; i += count, rows += count * form.stride) {
    sum_rows<sift_blocks, 1>(rows, form.stride, program, query, tile, sum);
    uint64_t some = 0;
    for (int b = 0; b < sift_blocks; b += 2) {
      const __m512i ends = row_ends(rows + lanes * b * form.stride, form.stride,
                                    words == nullptr ? nullptr : words + lanes * b);
      some |= uint64_t{bound(sum_pair(sum[0][b], sum[0][b + 1]), ends)} << (lanes * b);
    }
    pass[i / count] = some;
  }
  if (i < n) pass[i / count] = (uint64_t{1} << (n - i)) - 1;
}
