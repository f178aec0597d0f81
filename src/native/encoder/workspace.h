// workspace.h - the arrays that one piece of work passes through, reused from piece to piece.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "attend/attend.h"
#include "model.h"

namespace fewbits::encoder {

// `count` values of T at a multiple of 64 bytes; grows, never shrinks.
template <typename T>
class Aligned {
 public:
  T* reserve(size_t count) {
    const size_t bytes = count * sizeof(T) + 64;
    if (storage_.size() < bytes) storage_.resize(bytes);
    return data();
  }
  T* data() {
    const auto at = reinterpret_cast<uintptr_t>(storage_.data());
    return reinterpret_cast<T*>((at + 63) / 64 * 64);
  }

 private:
  std::vector<uint8_t> storage_;
};

// Row sizes in values. Code rows are padded so that kernels may read whole quads.
struct Workspace {
  float *x = nullptr, *y = nullptr, *qkv = nullptr, *context = nullptr, *inner = nullptr;
  uint8_t *codes = nullptr, *inner_codes = nullptr;
  Row *rows = nullptr, *inner_rows = nullptr;
  int32_t *positions = nullptr, *zeros = nullptr;
  size_t code_stride = 0, inner_stride = 0;
  std::vector<float*> scratch, bias;  // per member

  // Makes room for `tokens` rows, of which `block` go through the feed-forward layers at a time.
  void reserve(const Model& model, size_t tokens, size_t block, size_t longest, size_t members);

 private:
  Aligned<float> x_, y_, qkv_, context_, inner_;
  Aligned<uint8_t> codes_, inner_codes_;
  Aligned<Row> rows_, inner_rows_;
  Aligned<int32_t> positions_, zeros_;
  std::vector<Aligned<float>> scratch_, bias_;
};

// Workspaces that wait for the next call: fresh memory costs a page fault per 4 KiB.
class Workspaces {
 public:
  std::unique_ptr<Workspace> take();
  void give(std::unique_ptr<Workspace> work);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> waiting_;
};

// One of them for the length of a scope.
class Borrowed {
 public:
  explicit Borrowed(Workspaces& from) : from_(from), work_(from.take()) {}
  ~Borrowed() { from_.give(std::move(work_)); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Workspace& operator*() { return *work_; }

 private:
  Workspaces& from_;
  std::unique_ptr<Workspace> work_;
};

}  // namespace fewbits::encoder
