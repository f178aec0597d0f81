// walk.h - the walk of every wide level over rows and steps.
// Include inside an anonymous namespace after cstring and dot.h. The level defines
//   lanes: rows per register; large, small: registers of rows per group
//   Sum: a register of sums;  fill_tile, add_stretch, finish: see avx512.cpp

template <int blocks, int planes>
inline void add_piece(const ProgramView& program, const Piece& piece, const PlaneView& query,
                      const uint64_t* tile, Sums<blocks, planes>& sum) {
  for (uint32_t i = piece.stretch_begin; i < piece.stretch_end; ++i) {
    const Stretch& stretch = program.stretch[i];
    if (stretch.move == Move::shift) {
      add_stretch<Move::shift, blocks, planes>(program, stretch, query, tile, sum);
    } else if (stretch.move == Move::pick) {
      add_stretch<Move::pick, blocks, planes>(program, stretch, query, tile, sum);
    } else {
      add_stretch<Move::keep, blocks, planes>(program, stretch, query, tile, sum);
    }
  }
}

template <int blocks>
using WordTile = uint64_t[most_words * lanes * blocks];

// The sums of a group of rows, which are read whole; the tile keeps the last piece's words.
template <int blocks, int planes>
inline void sum_rows(const uint8_t* rows, size_t stride, const ProgramView& program,
                     const PlaneView& query, WordTile<blocks>& tile, Sums<blocks, planes>& sum) {
  for (int p = 0; p < planes; ++p) {
    for (int b = 0; b < blocks; ++b) sum[p][b] = Sum{};
  }
  for (size_t i = 0; i < program.pieces; ++i) {
    fill_tile<blocks>(rows, stride, program, program.piece[i], tile);
    add_piece<blocks, planes>(program, program.piece[i], query, tile, sum);
  }
}

// A group of rows; the first n count.
template <int blocks, int planes>
void dot_rows(const uint8_t* rows, size_t n, size_t stride, const ProgramView& program,
              const PlaneView& query, float* out) {
  alignas(64) WordTile<blocks> tile;
  Sums<blocks, planes> sum;
  sum_rows<blocks, planes>(rows, stride, program, query, tile, sum);
  finish<blocks, planes>(query, sum, n, out);
}

// Rows that are too few for a group or too short to load: copies with room behind them.
template <int blocks, int planes>
void dot_copies(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
                float* out) {
  constexpr size_t count = lanes * blocks, room = 4096;
  alignas(64) uint8_t copy[room];
  const size_t stride = program.stride < shortest_row ? shortest_row : program.stride;
  if (count * stride > room) {  // long rows: the same one in every place
    for (size_t i = 0; i < n; ++i) {
      dot_rows<blocks, planes>(rows + i * program.stride, 1, 0, program, query, out + i);
    }
    return;
  }
  std::memset(copy, 0, count * stride);
  for (size_t i = 0; i < n; i += count) {
    const size_t some = n - i < count ? n - i : count;
    for (size_t r = 0; r < some; ++r) {
      std::memcpy(copy + r * stride, rows + (i + r) * program.stride, program.stride);
    }
    dot_rows<blocks, planes>(copy, some, stride, program, query, out + i);
  }
}

template <int planes>
void dot_all(const uint8_t* rows, size_t n, const ProgramView& program, const PlaneView& query,
             float* out) {
  const size_t stride = program.stride;
  size_t i = 0;
  if (stride >= shortest_row) {
    for (constexpr size_t count = lanes * large; i + count <= n; i += count) {
      dot_rows<large, planes>(rows + i * stride, count, stride, program, query, out + i);
    }
    for (constexpr size_t count = lanes * small; i + count <= n; i += count) {
      dot_rows<small, planes>(rows + i * stride, count, stride, program, query, out + i);
    }
  }
  if (n - i > lanes * small) {  // short rows
    return dot_copies<large, planes>(rows, n, program, query, out);
  }
  dot_copies<small, planes>(rows + i * stride, n - i, program, query, out + i);
}
