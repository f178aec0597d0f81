#include "dot.h"

namespace fewbits::trellis {
namespace {

// Six bits of a row from bit `first` on; bits before the row are 0.
uint32_t window_of(const uint8_t* row, ptrdiff_t first) {
  uint32_t window = 0;
  for (ptrdiff_t k = 0; k < 6; ++k) {
    const ptrdiff_t bit = first + k;
    if (bit < 0) continue;
    window |= (uint32_t{row[bit / 8]} >> (bit % 8) & 1u) << k;
  }
  return window;
}

uint32_t value_of(const uint8_t* row, const ProgramView& program, const Field& field, size_t c) {
  const ptrdiff_t bit = static_cast<ptrdiff_t>(field.first_bit + c * field.bits);
  if (field.table == no_table) return row[bit / 8];
  return program.lut[field.table][window_of(row, bit - static_cast<ptrdiff_t>(field.before))];
}

}  // namespace

void dot_scalar(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
                float* out) {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* row = rows + i * program.stride;
    int32_t raw[2] = {0, 0};
    for (size_t f = 0; f < program.fields; ++f) {
      const Field& field = program.field[f];
      for (size_t c = 0; c < field.columns; ++c) {
        const int32_t value = static_cast<int32_t>(value_of(row, program, field, c));
        for (int p = 0; p < query.planes; ++p) raw[p] += value * query.plain[p][field.column + c];
      }
    }
    out[i] = finish_planes(query, raw);
  }
}

}  // namespace fewbits::trellis
