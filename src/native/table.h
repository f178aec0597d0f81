// table.h - THE dispatch table: a row per level, a column per kernel.
// An empty cell takes the kernel of the level below it in the same chain.
#pragma once
#include "dot_f16/dot_f16.h"
#include "encode/encode.h"
#include "encoder/attend/attend.h"
#include "encoder/gemm_f32/gemm_f32.h"
#include "encoder/gemm_u8/gemm_u8.h"
#include "encoder/rows/rows.h"
#include "epilogue/epilogue.h"
#include "levels.h"
#include "query.h"
#include "select/select.h"
#include "trellis/block/block.h"
#include "trellis/dot/dot.h"
#include "trellis/path/path.h"
#include "trellis/project/project.h"
#include "trellis/ready/ready.h"
#include "trellis/rows/rows.h"
#include "trellis/tail/tail.h"

namespace fewbits {

struct Kernels {
  Level level;
  Level below;
  DotFn* dot_i8;
  DotFn* dot_u4;
  DotFn* dot_trit;
  DotFn* dot_b1;
  DotFn* dot_f16;
  DotFn* hamming;
  EpilogueFn* epilogue;
  EncodeFn* encode;
  SelectFn* select;
  trellis::ProjectFn* trellis_project;
  trellis::PathFn* trellis_path;
  const trellis::RowSteps* trellis_rows;
  const trellis::BlockSteps* trellis_block;
  trellis::DotFn* trellis_dot;
  const trellis::TailSteps* trellis_tail;
  const trellis::ReadySteps* trellis_ready;
  encoder::GemmU8Fn* encoder_gemm_u8;
  encoder::GemmF32Fn* encoder_gemm_f32;
  encoder::AttendFn* encoder_attend;
  const encoder::RowSteps* encoder_rows;
};

// The kernels of `level`, every cell filled. `level` must be available.
Kernels kernels_of(Level level);

// The level in use by all calls: the best one, until set. Thread-safe; running calls keep theirs.
Level active_level();
void set_active_level(Level level);

}  // namespace fewbits
