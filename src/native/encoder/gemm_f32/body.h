// body.h - the walk over tiles, for every SIMD level.
// Include inside an anonymous namespace after utility, gemm_f32.h and ../lanes/<level>.h.
// A level defines
//   Form<element>: inputs, how many come in `bytes` bytes of a panel; next, the bytes from one
//     register of channels to the following; load<s>(at), the weights of input s, one register
//   tile_rows, the most rows of a tile; tile_panels(rows), its panels: 1, 2 or 4
//   prefetch(const void*)

#include "sums.h"

constexpr size_t line = 64;                 // bytes of the cache
constexpr size_t lead = 16 * line;          // how far ahead of itself a tile asks for weights
constexpr size_t widest = tile_panels(1);   // panels that few rows take at once
constexpr size_t block_panels = tile_panels(tile_rows);
constexpr size_t block_inputs = 512 / block_panels;  // 32 KiB of floats: they stay in the L1 cache
constexpr size_t block_tiles = 3;           // from so many row tiles on, inputs come in blocks

struct Job {
  const float* a;
  size_t m, a_stride;
  const WeightsFloat& w;
  float* out;
  size_t out_stride;
};

// Where a tile lies, and the inputs that it adds.
struct Place {
  size_t row, panel, first_input, last_input;
};

template <Element element>
inline Panels panels_from(const WeightsFloat& w, size_t first_panel, size_t input) {
  using F = Form<element>;
  const size_t stride = (w.k + F::inputs - 1) / F::inputs * F::bytes;
  return {static_cast<const uint8_t*>(w.values) + first_panel * stride +
              input / F::inputs * F::bytes,
          stride};
}

inline void copy_rows(float* to, size_t to_stride, const float* from, size_t from_stride,
                      size_t rows, size_t n) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t j = 0; j < n; ++j) to[r * to_stride + j] = from[r * from_stride + j];
  }
}

// Between two blocks of inputs the sums lie in `out`.
template <Element element, bool blocked, size_t rows, size_t panels>
void tile(const Job& job, const Place& place, Panels w, Panels ahead) {
  constexpr size_t width = panels * panel;
  alignas(64) float copy[rows * width];  // of the outputs, where some of the channels are missing
  const size_t channel = place.panel * panel;
  const size_t left = job.w.n - channel;
  float* const out = job.out + place.row * job.out_stride + channel;
  float* const to = left < width ? copy : out;
  const size_t stride = left < width ? width : job.out_stride;

  Sums<rows, panels> sums;
  if (place.first_input == 0) {
    sums.clear();
  } else {
    if (left < width) copy_rows(copy, width, out, job.out_stride, rows, left);
    sums.load(to, stride);
  }
  const float* a = job.a + place.row * job.a_stride + place.first_input;
  const size_t count = place.last_input - place.first_input;
  if constexpr (blocked) {
    add_inputs<element, 2, line>(sums, a, job.a_stride, w, ahead, count);
  } else {
    add_inputs<element, panels, Form<element>::bytes>(sums, a, job.a_stride, w, ahead, count);
  }
  if (place.last_input == job.w.k) {
    sums.finish(job.w.element == Element::i8 ? job.w.scale + channel : nullptr,
                job.w.bias + channel);
  }
  sums.store(to, stride);
  if (left < width) copy_rows(out, job.out_stride, copy, width, rows, left);
}

using Tile = void(const Job& job, const Place& place, Panels w, Panels ahead);

// The tile of `rows` rows and at most `limit` panels, and how many panels it takes.
struct Chosen {
  Tile* tile;
  size_t panels;
};

template <Element element, bool blocked, size_t rows>
inline Chosen choose_panels(size_t limit) {
  constexpr size_t most = blocked ? block_panels : tile_panels(rows);
  if constexpr (most >= 4) {
    if (limit >= 4) return {tile<element, blocked, rows, 4>, 4};
  }
  if constexpr (most >= 2) {
    if (limit >= 2) return {tile<element, blocked, rows, 2>, 2};
  }
  return {tile<element, blocked, rows, 1>, 1};
}

template <Element element, bool blocked, size_t rows = tile_rows>
inline Chosen choose(size_t wanted, size_t limit) {
  if constexpr (rows > 1) {
    if (wanted < rows) return choose<element, blocked, rows - 1>(wanted, limit);
  }
  return choose_panels<element, blocked, rows>(limit);
}

inline size_t row_tiles(size_t m) { return (m + tile_rows - 1) / tile_rows; }

// Rows of the tile that comes next: the rest in equal shares.
inline size_t share(size_t rows) { return (rows + row_tiles(rows) - 1) / row_tiles(rows); }

// Few rows: weights come straight from memory and are converted in the registers.
template <Element element>
inline void few_rows(const Job& job, size_t first_panel, size_t last_panel) {
  for (size_t group = first_panel; group < last_panel; group += widest) {
    const size_t end = group + widest < last_panel ? group + widest : last_panel;
    size_t rows;
    for (size_t row = 0; row < job.m; row += rows) {
      rows = share(job.m - row);
      Chosen chosen;
      for (size_t p = group; p < end; p += chosen.panels) {
        chosen = choose<element, false>(rows, end - p);
        const Panels w = panels_from<element>(job.w, p, 0);
        chosen.tile(job, {row, p, 0, job.w.k}, w, {w.at + lead, w.stride});
      }
    }
  }
}

// `count` inputs of `panels` panels as floats, block_inputs inputs to a panel.
template <Element element>
inline void expand(Panels from, size_t panels, size_t count, float* to) {
  using F = Form<element>;
  constexpr std::make_index_sequence<F::inputs> inputs{};
  constexpr std::make_index_sequence<per_panel> parts{};
  for (size_t p = 0; p < panels; ++p, from.at += from.stride) {
    for (size_t i = 0; i < count; i += F::inputs) {  // block_inputs is a multiple of F::inputs
      const uint8_t* at = from.at + i / F::inputs * F::bytes;
      float* block = to + (p * block_inputs + i) * panel;
      each_number(inputs, [&](auto s) {
        each_number(parts, [&](auto part) {
          Lanes::store(block + s.value * panel + part.value * Lanes::width,
                       F::template load<s.value>(at + part.value * F::next));
        });
      });
    }
  }
}

// All rows over one block of weights, which are floats. The first tiles ask for two panels each
// of the weights that come `next`.
inline void block_rows(const Job& job, Place place, size_t panels, Panels w, Panels next) {
  size_t rows;
  for (place.row = 0; place.row < job.m; place.row += rows) {
    rows = share(job.m - place.row);
    const Chosen chosen = choose<Element::f32, true>(rows, panels);
    const size_t asked = place.row / tile_rows * 2;
    const Panels ahead = {next.at + asked * next.stride, next.stride};
    chosen.tile(job, place, w, asked < panels ? ahead : w);
  }
}

// Many rows: a block of inputs of a group of panels, as floats, serves all of them.
template <Element element>
inline void many_rows(const Job& job, size_t first_panel, size_t last_panel) {
  alignas(64) float floats[element == Element::f32 ? 1 : block_panels * block_inputs * panel];
  const size_t k = job.w.k;
  size_t panels;
  for (size_t p = first_panel; p < last_panel; p += panels) {
    const size_t left = last_panel - p;
    panels = left < block_panels ? left >= 2 ? 2 : 1 : block_panels;
    for (size_t i = 0; i < k; i += block_inputs) {
      const size_t end = i + block_inputs < k ? i + block_inputs : k;
      Panels w = panels_from<element>(job.w, p, i);
      const bool more = end < k || panels < left;
      const Panels next = !more   ? w
                          : end < k ? panels_from<element>(job.w, p, end)
                                    : panels_from<element>(job.w, p + panels, 0);
      if constexpr (element != Element::f32) {
        expand<element>(w, panels, end - i, floats);
        w = {reinterpret_cast<const uint8_t*>(floats), block_inputs * panel * sizeof(float)};
      }
      block_rows(job, {0, p, i, end}, panels, w, next);
    }
  }
}

template <Element element>
inline void gemm_of(const Job& job, size_t first_panel, size_t last_panel) {
  if (row_tiles(job.m) < block_tiles || job.w.k == 0) {
    return few_rows<element>(job, first_panel, last_panel);
  }
  many_rows<element>(job, first_panel, last_panel);
}

inline void gemm(const Job& job, size_t first_panel, size_t last_panel) {
  switch (job.w.element) {
    case Element::f32: return gemm_of<Element::f32>(job, first_panel, last_panel);
    case Element::f16: return gemm_of<Element::f16>(job, first_panel, last_panel);
    case Element::bf16: return gemm_of<Element::bf16>(job, first_panel, last_panel);
    case Element::i8: return gemm_of<Element::i8>(job, first_panel, last_panel);
  }
}
