#include "unpack.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "../table.h"
#include "../threads.h"
#include "block/block.h"

namespace fewbits::trellis {

size_t unpacked_size(const Plan& plan) { return UnpackMap(plan).columns; }

void unpack(const Plan& plan, const uint8_t* codes, size_t n, size_t threads, uint8_t* out) {
  const UnpackMap map(plan);
  UnpackFn* const rows = kernels_of(active_level()).trellis_block->unpack;
  const size_t parts = std::max<size_t>(1, std::min(threads, n / 4096));
  parallel_ranges(n, parts, [&](size_t, size_t begin, size_t end) {
    std::vector<uint8_t> storage(block_rows * map.width() + 64);
    uint8_t* padded = storage.data();
    padded += (64 - reinterpret_cast<uintptr_t>(padded) % 64) % 64;
    for (size_t at = begin; at < end; at += block_rows) {
      const size_t count = std::min(block_rows, end - at);
      rows(map, codes + at * plan.code_size, count, plan.code_size, padded, map.width());
      for (size_t i = 0; i < count; ++i) {
        std::memcpy(out + (at + i) * map.columns, padded + i * map.width(), map.columns);
      }
    }
  });
}

}  // namespace fewbits::trellis
