// tile.h - a tile of a matrix product in registers. Include inside an anonymous namespace after
// <utility> and the level's `Lanes`.

// An array of registers that reaches a call by reference lives in memory.
#define FEWBITS_HERE __attribute__((always_inline))

using V = Lanes::V;
constexpr size_t width = Lanes::width;

// The next piece of what is left: `most` or less, and no small rest after it.
constexpr size_t piece(size_t left, size_t most) {
  return left >= 2 * most ? most : left > most ? (left + 1) / 2 : left;
}

template <size_t n>
struct Fixed {
  constexpr operator size_t() const { return n; }
};

// f(Fixed<0>()), f(Fixed<1>()), ...: an array lives in registers if its every index has a constant
// type; with indices passed as numbers, GCC 12 writes it back to memory at every turn of a loop.
template <typename F, size_t... i>
inline FEWBITS_HERE void each(std::index_sequence<i...>, const F& f) {
  (f(Fixed<i>()), ...);
}

// work(Fixed<count>()), 1 <= count <= most.
template <size_t most, typename Work>
inline void with(size_t count, const Work& work) {
  if constexpr (most > 1) {
    if (count < most) return with<most - 1>(count, work);
  }
  work(Fixed<most>());
}

// finish(r, k, sum over i < n of a[r][i] * b[i][block k]).
// Floats between rows of a, steps of b, blocks of b: a_stride, b_step, b_jump.
template <size_t rows, size_t blocks, typename Finish>
inline FEWBITS_HERE void tile(const float* a, size_t a_stride, const float* b, size_t b_step,
                              size_t b_jump, size_t n, const Finish& finish) {
  constexpr std::make_index_sequence<rows> every_row;
  constexpr std::make_index_sequence<blocks> every_block;
  V sum[rows][blocks], column[blocks];
  each(every_row, [&](auto r) FEWBITS_HERE {
    each(every_block, [&](auto k) FEWBITS_HERE { sum[r][k] = Lanes::zero(); });
  });
  for (size_t i = 0; i < n; ++i, b += b_step) {
    each(every_block, [&](auto k) FEWBITS_HERE { column[k] = Lanes::load(b + k * b_jump); });
    each(every_row, [&](auto r) FEWBITS_HERE {
      const V row = Lanes::set(a[r * a_stride + i]);
      each(every_block, [&](auto k) FEWBITS_HERE {
        sum[r][k] = Lanes::fma(row, column[k], sum[r][k]);
      });
    });
  }
  each(every_row, [&](auto r) FEWBITS_HERE {
    each(every_block, [&](auto k) FEWBITS_HERE { finish(r, k, sum[r][k]); });
  });
}
