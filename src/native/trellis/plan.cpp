#include "plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace fewbits::trellis {
namespace {

constexpr double gain_unit = 16777216.0;  // 2^24

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

bool known(int width) {
  return (width >= 1 && width <= 4) || width == 6 || width == 8 || width == 12;
}

// Standard deviations per half unit of 2 U - off2.
double unit_of(int width) {
  switch (width) {
    case 6: return step6 / 2;
    case 8: return step8;
    case 12: return 16 * step12;
    default: return scales[width - 1];
  }
}

double code_units(int width) {
  switch (width) {
    case 6: return 1 / step6;
    case 8: return 1 / step8;
    case 12: return 1 / step12;
    default: return cost_scale[width - 1] / scales[width - 1];
  }
}

int32_t gain_of(double sigma, double unit) {
  return static_cast<int32_t>(std::rint(sigma * unit * gain_unit));
}

}  // namespace

Packed::Packed(const int16_t* columns, size_t count, size_t d)
    : count_(count), pairs_(row16_size(d) / 2) {
  const size_t values = project_size(count) * 2 * pairs_;
  storage_.assign(values + 32, 0);
  const size_t over = reinterpret_cast<uintptr_t>(storage_.data()) % 64;
  shift_ = over == 0 ? 0 : (64 - over) / sizeof(int16_t);
  for (size_t j = 0; j < count; ++j) {
    int16_t* at = storage_.data() + shift_ + (j / 16 * pairs_) * 32 + j % 16 * 2;
    for (size_t i = 0; i < d; ++i) at[i / 2 * 32 + i % 2] = columns[j * d + i];
  }
}

Plan::Plan(const Settings& settings, const int16_t* basis_rows, const float* sigmas,
           const uint8_t* widths, const float* centroid_rows, const float* mh_rows)
    : set(settings) {
  check(widths, sigmas);
  lay_out(widths);
  set_columns(sigmas);
  mh.assign(mh_rows, mh_rows + set.lists * set.m);
  basis = Packed(basis_rows, set.m, set.d);
  set_lists(centroid_rows);
  program = std::make_shared<const Program>(runs, set.m, code_size);
}

void Plan::check(const uint8_t* widths, const float* sigmas) const {
  require(set.d >= 1 && set.d <= 16384, "d must be 1 to 16,384");
  require(set.m >= 8 && set.m % 8 == 0, "basis must have a multiple of 8 rows");
  require(set.lists >= 1 && set.lists <= 65536, "centroids must be 1 to 65,536 rows");
  const bool fits = set.lists <= (size_t{1} << 8 * std::min<size_t>(set.id_bytes, 2));
  require(set.id_bytes <= 2 && fits, "id_bytes must be 0 to 2 and hold every list");
  const size_t s = set.scalar_bytes;
  require(s == 1 || s == 2 || s == 4, "scalar_bytes must be 1, 2 or 4");
  require(set.s_step > 0 && set.b_step > 0, "s_step and b_step must be positive");
  int last = 1;
  for (size_t g = 0; g < set.m / group_columns; ++g) {
    require(known(widths[g]), "widths must be 1, 2, 3, 4, 6, 8 or 12");
    require(widths[g] >= last, "widths must ascend");
    last = widths[g];
  }
  // A deviation of a unit vector's part is at most 1; too small ones have no code unit in float32.
  for (size_t j = 0; j < set.m; ++j) {
    require(sigmas[j] == 0 || (sigmas[j] >= 1e-12f && sigmas[j] <= 2), "sigma is out of range");
  }
}

void Plan::lay_out(const uint8_t* widths) {
  for (size_t j = 0; j < set.m; j += group_columns) {
    const int width = widths[j / group_columns];
    if (runs.empty() || runs.back().width != width) {
      Run next;
      next.width = width;
      next.column = j;
      runs.push_back(next);
    }
    runs.back().columns += group_columns;
  }
  for (Run& run : runs) {
    run.byte = id_at;
    const size_t high = run.width == 12 ? 8 : static_cast<size_t>(run.width);
    id_at += run.columns / 8 * high;
    if (run.width <= most_trellis_width) {
      trellis_columns += run.columns;
      stream_bits = 8 * id_at;
    }
    if (run.width == 12) {
      run.low_byte = id_at;
      id_at += run.columns / 2;
      m12 = run.columns;
    }
  }
  pseudo = set.m + m12;
  s_at = id_at + set.id_bytes;
  b_at = s_at + set.scalar_bytes;
  code_size = b_at + set.scalar_bytes;
}

void Plan::set_columns(const float* values) {
  sigma.assign(values, values + set.m);
  gain.assign(pseudo, 0);
  off2.assign(pseudo, 256);
  kq.assign(columns_size(set.m), 0);
  for (const Run& run : runs) {
    for (size_t j = run.column; j < run.column + run.columns; ++j) {
      gain[j] = gain_of(sigma[j], unit_of(run.width));
      if (run.width >= 8) off2[j] = 255;
      if (run.width == 12) {
        const size_t low = set.m + (j - run.column);
        gain[low] = gain_of(sigma[j], step12);
        off2[low] = 15;
      }
      if (sigma[j] == 0) continue;
      kq[j] = static_cast<float>(code_units(run.width) /
                                 (column_unit * row_unit * sigma[j]));
    }
  }
  for (const int32_t a : gain) step.push_back(a * 0x1p-25);
}

void Plan::set_lists(const float* values) {
  const size_t d = set.d;
  row_stride = padded(d);
  centroids.assign(set.lists * row_stride, 0);
  std::vector<int16_t> rounded(set.lists * d);
  for (size_t l = 0; l < set.lists; ++l) {
    const float* c = values + l * d;
    std::copy(c, c + d, centroids.begin() + static_cast<ptrdiff_t>(l * row_stride));
    const auto square = [&](size_t j) { return double{c[j]} * double{c[j]}; };
    squares.push_back(lane_sum(d, square));
    length.push_back(std::sqrt(squares[l]));
    length_scale.push_back(length[l] / (row_unit * row_unit));
    half_squares.push_back(0.5 * squares[l]);
    if (length[l] == 0) continue;
    const double scale = row_unit / length[l];
    for (size_t j = 0; j < d; ++j) {
      rounded[l * d + j] = static_cast<int16_t>(std::rint(double{c[j]} * scale));
    }
  }
  const double largest = *std::max_element(squares.begin(), squares.end());
  for (const double s : squares) inv2.push_back(s > 0 && s >= 1e-12 * largest ? 1 / s : 0);
  while (half_squares.size() % 8 != 0) {
    length_scale.push_back(0);
    half_squares.push_back(std::numeric_limits<double>::infinity());
  }
  centroids16 = Packed(rounded.data(), set.lists, d);
}

}  // namespace fewbits::trellis
