#include "encode.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "../table.h"
#include "../threads.h"

namespace fewbits::trellis {
namespace {

// Rows at once: whole tiles of project (6), whole turns of path (16). A basis that leaves the
// second cache is read anew for each batch: the longer the batch, the less it costs.
constexpr size_t short_batch = 48, long_batch = 192;
constexpr size_t cached_basis = size_t{1} << 21;  // bytes
constexpr size_t margin = 8;    // bytes that may be read before and behind a code
constexpr size_t least_work = size_t{1} << 17;  // values per thread that are worth starting one

size_t batch_of(const Plan& plan) {
  const size_t bytes = plan.set.m * plan.set.d * sizeof(int16_t);
  return bytes > cached_basis ? long_batch : short_batch;
}

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Parts of one block of memory, each 64-byte aligned.
class Arena {
 public:
  template <typename T>
  size_t reserve(size_t count) {
    const size_t at = size_;
    size_ += round_up(count * sizeof(T), 64);
    return at;
  }
  void allocate() {
    storage_.assign(size_ + 64, 0);
    const size_t over = reinterpret_cast<uintptr_t>(storage_.data()) % 64;
    base_ = storage_.data() + (over == 0 ? 0 : 64 - over);
  }
  template <typename T>
  T* at(size_t place) const {
    return reinterpret_cast<T*>(base_ + place);
  }

 private:
  std::vector<uint8_t> storage_;
  uint8_t* base_ = nullptr;
  size_t size_ = 0;
};

// Encodes up to `most` rows at once, on one thread.
class Encoder {
 public:
  Encoder(const Plan& plan, const Kernels& kernels, size_t most);

  void assign(const float* x, size_t n);
  void encode(const float* x, const double* extra, size_t n, uint8_t* codes, float* distortion);
  const Row& row(size_t i) const { return rows_[i]; }

 private:
  void place_rows(size_t count, const size_t* at);

  const Plan& plan_;
  const Kernels& kernels_;
  const RowSteps& steps_;
  size_t row16_, columns_, products_, code_stride_;
  Arena arena_;
  std::vector<Row> rows_;
  int16_t* y16_ = nullptr;
  int32_t* z_ = nullptr;
  int32_t* targets_ = nullptr;
  int32_t* near_ = nullptr;
  uint8_t* codes_ = nullptr;
  PathScratch path_{};
};

Encoder::Encoder(const Plan& plan, const Kernels& kernels, size_t most)
    : plan_(plan),
      kernels_(kernels),
      steps_(*kernels.trellis_rows),
      row16_(row16_size(plan.set.d)),
      columns_(columns_size(plan.set.m)),
      products_(project_size(plan.set.lists)),
      code_stride_(round_up(plan.code_size + 2 * margin, 64)) {
  const size_t count = round_up(most, path_rows);
  const bool many = plan.set.lists > 1;
  const size_t at[] = {arena_.reserve<float>(count * plan.row_stride),
                       arena_.reserve<int16_t>(count * row16_),
                       arena_.reserve<int32_t>(count * columns_),
                       arena_.reserve<int32_t>(count * columns_),
                       arena_.reserve<uint8_t>(count * code_stride_),
                       arena_.reserve<int32_t>(many ? count * products_ : 0),
                       arena_.reserve<uint32_t>(plan.stream_bits * path_rows),
                       arena_.reserve<uint16_t>(path_rows * states)};
  arena_.allocate();
  place_rows(count, at);
}

void Encoder::place_rows(size_t count, const size_t* at) {
  rows_.resize(count);
  y16_ = arena_.at<int16_t>(at[1]);
  z_ = arena_.at<int32_t>(at[2]);
  targets_ = arena_.at<int32_t>(at[3]);
  codes_ = arena_.at<uint8_t>(at[4]) + margin;
  near_ = arena_.at<int32_t>(at[5]);
  path_.choices = arena_.at<uint32_t>(at[6]);
  path_.costs = arena_.at<uint16_t[states]>(at[7]);
  for (size_t i = 0; i < count; ++i) {
    rows_[i].y = arena_.at<float>(at[0]) + i * plan_.row_stride;
    rows_[i].y16 = y16_ + i * row16_;
    rows_[i].z = z_ + i * columns_;
    rows_[i].target = targets_ + i * columns_;
    rows_[i].code = codes_ + i * code_stride_;
  }
}

void Encoder::assign(const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) steps_.start(x + i * plan_.set.d, plan_, rows_[i]);
  if (plan_.set.lists == 1) return;
  kernels_.trellis_project(y16_, n, row16_, plan_.centroids16, near_, products_);
  for (size_t i = 0; i < n; ++i) {
    rows_[i].list = steps_.nearest(near_ + i * products_, rows_[i].length, plan_);
  }
}

void Encoder::encode(const float* x, const double* extra, size_t n, uint8_t* codes,
                     float* distortion) {
  assign(x, n);
  for (size_t i = 0; i < n; ++i) steps_.centre(plan_, rows_[i]);
  kernels_.trellis_project(y16_, n, row16_, plan_.basis, z_, columns_);
  for (size_t i = 0; i < n; ++i) steps_.quantize(plan_, rows_[i]);
  for (size_t i = 0; i < n && plan_.trellis_columns > 0; i += path_rows) {
    kernels_.trellis_path(plan_, targets_ + i * columns_, columns_, std::min(path_rows, n - i),
                          path_, codes_ + i * code_stride_, code_stride_);
  }
  for (size_t i = 0; i < n; ++i) {
    distortion[i] = steps_.finish(plan_, rows_[i], extra == nullptr ? -0.0 : extra[i]);
    std::memcpy(codes + i * plan_.code_size, rows_[i].code, plan_.code_size);
  }
}

// body(encoder, first row, rows) for all batches.
template <typename Body>
void for_batches(const Plan& plan, size_t n, size_t threads, const Body& body) {
  const size_t work = n * plan.set.d / least_work, batch = batch_of(plan);
  const size_t parts = std::max<size_t>(1, std::min(threads, work));
  const Kernels kernels = kernels_of(active_level());
  parallel_ranges(n, parts, [&](size_t, size_t begin, size_t end) {
    if (begin == end) return;
    Encoder encoder(plan, kernels, std::min(batch, end - begin));
    for (size_t i = begin; i < end; i += batch) body(encoder, i, std::min(batch, end - i));
  });
}

}  // namespace

void encode(const Plan& plan, const float* x, const double* extra, size_t n, size_t threads,
            uint8_t* codes, float* distortion) {
  for_batches(plan, n, threads, [&](Encoder& encoder, size_t i, size_t rows) {
    encoder.encode(x + i * plan.set.d, extra == nullptr ? nullptr : extra + i, rows,
                   codes + i * plan.code_size, distortion + i);
  });
}

void assign(const Plan& plan, const float* x, size_t n, size_t threads, int32_t* lists) {
  for_batches(plan, n, threads, [&](Encoder& encoder, size_t first, size_t rows) {
    encoder.assign(x + first * plan.set.d, rows);
    for (size_t i = 0; i < rows; ++i) {
      lists[first + i] = static_cast<int32_t>(encoder.row(i).list);
    }
  });
}

}  // namespace fewbits::trellis
