#include "scan.h"

#include <cstring>

#include "threads.h"

namespace fewbits {
namespace {

constexpr size_t chunk_rows = 256;          // scores of one chunk and one query: 1 KiB on the stack
constexpr size_t thread_bytes = 512 << 10;  // below this much code a further thread does not pay

DotFn* dot_of(const Layout& layout, const Kernels& kernels) {
  if (layout.hamming) return kernels.hamming;
  switch (layout.packing) {
    case Packing::i8: return kernels.dot_i8;
    case Packing::u4: return kernels.dot_u4;
    case Packing::trit: return kernels.dot_trit;
    case Packing::b1: return kernels.dot_b1;
    case Packing::f16: return kernels.dot_f16;
  }
  return nullptr;
}

// One layout's kernels at the level that was active when the call began.
class Scorer {
 public:
  explicit Scorer(const Layout& layout)
      : layout_(layout), kernels_(kernels_of(active_level())), dot_(dot_of(layout, kernels_)) {}

  void operator()(const uint8_t* rows, size_t n, const PreparedQueries& queries, size_t query,
                  float* out) const {
    dot_(rows, n, layout_.stride, layout_.d, queries[query], out);
    kernels_.epilogue(rows, n, layout_.stride, layout_.factors, queries.t(query),
                      queries.gamma(query), out);
  }

  size_t select(const float* scores, size_t n, float threshold, uint16_t* out) const {
    return kernels_.select(scores, n, threshold, out);
  }

 private:
  const Layout& layout_;
  Kernels kernels_;
  DotFn* dot_;
};

// Up to chunk_rows rows as contiguous memory: a pointer where they are neighbours, else a copy.
class Chunk {
 public:
  Chunk(const Layout& layout, const Codes& codes, const int64_t* allowed)
      : stride_(layout.stride), codes_(codes), allowed_(allowed) {}

  const uint8_t* rows(size_t begin, size_t n) {
    if (allowed_ == nullptr) return codes_.data + begin * stride_;
    const size_t first = static_cast<size_t>(allowed_[begin]);
    if (static_cast<size_t>(allowed_[begin + n - 1]) - first == n - 1) {
      return codes_.data + first * stride_;
    }
    copy_.resize(chunk_rows * stride_);
    for (size_t i = 0; i < n; ++i) {
      const size_t row = static_cast<size_t>(allowed_[begin + i]);
      std::memcpy(copy_.data() + i * stride_, codes_.data + row * stride_, stride_);
    }
    return copy_.data();
  }

  int64_t row(size_t position) const {
    return allowed_ == nullptr ? static_cast<int64_t>(position) : allowed_[position];
  }

 private:
  size_t stride_;
  const Codes& codes_;
  const int64_t* allowed_;
  std::vector<uint8_t> copy_;
};

size_t worth(size_t threads, size_t n, size_t stride, size_t queries) {
  const size_t parts = n * stride * std::max<size_t>(1, queries) / thread_bytes;
  return std::max<size_t>(1, std::min(threads, parts));
}

void scan_range(const Scorer& score, Chunk& chunk, const PreparedQueries& queries, size_t begin,
                size_t end, std::vector<TopK>& best) {
  float scores[chunk_rows];
  uint16_t above[chunk_rows];
  for (size_t at = begin; at < end; at += chunk_rows) {
    const size_t n = std::min(chunk_rows, end - at);
    const uint8_t* rows = chunk.rows(at, n);
    for (size_t i = 0; i < queries.size(); ++i) {
      score(rows, n, queries, i, scores);
      const size_t count = score.select(scores, n, best[i].threshold(), above);
      for (size_t c = 0; c < count; ++c) {
        const float score_c = scores[above[c]];
        // Codes that no encoder wrote may score NaN: last, but still counted as a row.
        const float ordered = score_c == score_c ? score_c : -std::numeric_limits<float>::infinity();
        best[i].push({ordered, chunk.row(at + above[c])});
      }
    }
  }
}

}  // namespace

std::vector<std::vector<Hit>> search(const Layout& layout, const Codes& codes,
                                     const PreparedQueries& queries, const int64_t* allowed,
                                     size_t n_allowed, size_t k, size_t threads) {
  const Scorer score(layout);
  const size_t n = allowed == nullptr ? codes.n : n_allowed;
  const size_t parts = worth(threads, n, layout.stride, queries.size());
  std::vector<std::vector<TopK>> best(parts, std::vector<TopK>(queries.size(), TopK(k)));
  parallel_ranges(n, parts, [&](size_t part, size_t begin, size_t end) {
    Chunk chunk(layout, codes, allowed);
    scan_range(score, chunk, queries, begin, end, best[part]);
  });
  std::vector<std::vector<Hit>> hits(queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    for (size_t part = 1; part < parts; ++part) best[0][i].merge(best[part][i]);
    hits[i] = best[0][i].sorted();
  }
  return hits;
}

void score_all(const Layout& layout, const Codes& codes, const PreparedQueries& queries,
               size_t threads, float* out) {
  const Scorer score(layout);
  const size_t parts = worth(threads, codes.n, layout.stride, queries.size());
  parallel_ranges(codes.n, parts, [&](size_t, size_t begin, size_t end) {
    for (size_t at = begin; at < end; at += chunk_rows) {
      const size_t n = std::min(chunk_rows, end - at);
      for (size_t i = 0; i < queries.size(); ++i) {
        score(codes.data + at * layout.stride, n, queries, i, out + i * codes.n + at);
      }
    }
  });
}

void score_rows(const Layout& layout, const Codes& codes, const PreparedQueries& queries,
                const int64_t* rows, size_t m, size_t threads, float* out) {
  const Scorer score(layout);
  const size_t parts = worth(threads, m, layout.stride, queries.size());
  parallel_ranges(queries.size(), parts, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t c = 0; c < m; ++c) {
        const int64_t row = rows[i * m + c];
        float* at = out + i * m + c;
        *at = -std::numeric_limits<float>::infinity();
        if (row < 0) continue;
        score(codes.data + static_cast<size_t>(row) * layout.stride, 1, queries, i, at);
      }
    }
  });
}

}  // namespace fewbits
