// topk.h - the k best (score, row) pairs seen so far. Higher scores win; equal scores go to the
// lower row, so the result does not depend on the order of arrival or on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace fewbits {

struct Hit {
  float score;
  int64_t row;
};

inline bool better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.row < b.row);
}

class TopK {
 public:
  explicit TopK(size_t k) : k_(k) { heap_.reserve(std::min<size_t>(k, 1024)); }

  // A row scoring below this cannot enter. Equal scores may (a lower row wins the tie).
  float threshold() const {
    if (k_ == 0) return std::numeric_limits<float>::infinity();
    return heap_.size() < k_ ? -std::numeric_limits<float>::infinity() : heap_.front().score;
  }

  void push(Hit hit) {
    if (heap_.size() < k_) {
      heap_.push_back(hit);
      std::push_heap(heap_.begin(), heap_.end(), better);  // front = the worst kept
    } else if (k_ > 0 && better(hit, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = hit;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }

  void merge(const TopK& other) {
    for (const Hit& hit : other.heap_) push(hit);
  }

  std::vector<Hit> sorted() const {
    std::vector<Hit> out = heap_;
    std::sort(out.begin(), out.end(), better);
    return out;
  }

 private:
  size_t k_;
  std::vector<Hit> heap_;
};

}  // namespace fewbits
