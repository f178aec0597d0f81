#include "lists.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

#include "../threads.h"
#include "block/sifter.h"

namespace fewbits::trellis {
namespace {

constexpr size_t most_active = 1024;               // queries that choose lists together
constexpr size_t order_entries = size_t{4} << 20;  // of their lists by nearness: 16 MiB
constexpr size_t most_step = 32;                   // lists between two looks at a margin

// A query on its way through the lists.
class Visitor {
 public:
  Visitor(const Query& query, size_t lists, size_t k) : query_(&query), order_(lists), keeper(k) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::make_heap(order_.begin(), order_.end(), Later{query.gamma});
  }

  // Names the next lists, at most `step`; false where there is none to visit.
  bool name(const Probing& probing, size_t step, uint32_t slot,
            std::vector<std::pair<uint32_t, uint32_t>>& wanted) {
    const size_t all = visited + order_.size();
    const size_t most = probing.probes == 0 ? all : std::min(all, probing.probes);
    const size_t before = visited;
    for (; visited < std::min(most, before + step); ++visited) {
      if (!worth(probing.margin)) break;
      wanted.emplace_back(order_.front(), slot);
      std::pop_heap(order_.begin(), order_.end(), Later{query_->gamma});
      order_.pop_back();
    }
    return visited > before;
  }

 private:
  // Front of the heap: the list with the greatest gamma, of equals the first.
  struct Later {
    const float* gamma;
    bool operator()(uint32_t a, uint32_t b) const {
      return gamma[a] < gamma[b] || (gamma[a] == gamma[b] && a > b);
    }
  };

  bool worth(double margin) {
    if (margin < 0 || keeper.size() < keeper.capacity()) return true;
    return !(double{query_->gamma[order_.front()]} + margin * query_->noise <
             double{keeper.worst()});
  }

  const Query* query_;
  std::vector<uint32_t> order_;

 public:
  size_t visited = 0;
  Keeper keeper;
};

// One thread's part of a search.
class ListSearch {
 public:
  ListSearch(const Scorer& scorer, const Codes& codes, const Lists& lists, const Queries& queries)
      : scorer_(scorer), codes_(codes), lists_(lists), queries_(queries) {
    if (queries.size() >= worth_sharing) shared_ = std::make_unique<Shared>(scorer, queries);
  }

  void run(size_t begin, size_t end, const Probing& probing, std::vector<Visitor>& visitors) {
    // Without a margin every list is known from the start; else a query looks up more and more.
    size_t step = probing.margin < 0 ? scorer_.plan().set.lists : 1;
    std::vector<std::pair<uint32_t, uint32_t>> wanted;
    do {
      wanted.clear();
      for (size_t i = begin; i < end; ++i) {
        visitors[i - begin].name(probing, step, static_cast<uint32_t>(i - begin), wanted);
      }
      std::sort(wanted.begin(), wanted.end());
      for (size_t at = 0; at < wanted.size();) {
        size_t stop = at;
        while (stop < wanted.size() && wanted[stop].first == wanted[at].first) ++stop;
        visit(wanted.data() + at, stop - at, begin, visitors);
        at = stop;
      }
      step = std::min(2 * step, std::max(step, most_step));
    } while (!wanted.empty());
  }

 private:
  struct Shared {
    Shared(const Scorer& scorer, const Queries& queries)
        : map(scorer.plan()), gauges(gauges_of(queries)),
          flight(scorer.plan(), queries, gauges), sifter(scorer, map) {}

    UnpackMap map;
    std::vector<Gauge> gauges;
    Flight flight;
    Sifter sifter;
  };
  using Want = std::pair<uint32_t, uint32_t>;  // list, slot

  void visit(const Want* want, size_t count, size_t begin, std::vector<Visitor>& visitors) {
    const size_t list = want->first;
    size_t first = static_cast<size_t>(lists_.offsets[list]);
    size_t last = static_cast<size_t>(lists_.offsets[list + 1]);
    const int64_t* rows = nullptr;
    if (lists_.alive != nullptr) {
      rows_.clear();
      for (size_t row = first; row < last; ++row) {
        if (lists_.alive[row] != 0) rows_.push_back(static_cast<int64_t>(row));
      }
      rows = rows_.data();
      first = 0;
      last = rows_.size();
    }
    if (first == last) return;
    numbers_.clear();
    keepers_.clear();
    for (size_t i = 0; i < count; ++i) {
      numbers_.push_back(begin + want[i].second);
      keepers_.push_back(&visitors[want[i].second].keeper);
    }
    RowSource source(codes_, scorer_.plan().code_size, rows);
    if (count < worth_sharing) return score_each(source, first, last);
    shared_->flight.board(numbers_.data(), count, list);
    shared_->sifter.run(source, first, last, shared_->flight, keepers_.data());
  }

  void score_each(RowSource& source, size_t first, size_t last) {
    for (size_t at = first; at < last; at += chunk_rows) {
      const size_t n = std::min(chunk_rows, last - at);
      const uint8_t* from = source.rows(at, n);
      scorer_.tails(from, n, tails_);
      for (size_t i = 0; i < numbers_.size(); ++i) {
        score_rows(source, at, from, n, queries_[numbers_[i]], *keepers_[i]);
      }
    }
  }

  // Once k are held, the first plane tells which rows can enter; those alone meet the second one.
  void score_rows(const RowSource& source, size_t at, const uint8_t* from, size_t n,
                  const Query& query, Keeper& keeper) {
    const float threshold = keeper.threshold();
    size_t count = n;
    if (threshold > -std::numeric_limits<float>::infinity()) {
      scorer_.bound(from, n, query, tails_, scores_);
      count = scorer_.select(scores_, n, threshold, above_);
    }
    if (count == 0) return;
    if (count > n / 4) {
      scorer_.exact(from, n, query, tails_, scores_);
      for (size_t c = 0; c < n; ++c) keeper.push(scores_[c], source.number(at + c));
      return;
    }
    const size_t stride = scorer_.plan().code_size;
    few_.resize(chunk_rows * stride);
    for (size_t c = 0; c < count; ++c) {
      std::memcpy(few_.data() + c * stride, from + above_[c] * stride, stride);
    }
    scorer_.exact(few_.data(), count, query, scores_);
    for (size_t c = 0; c < count; ++c) keeper.push(scores_[c], source.number(at + above_[c]));
  }

  static constexpr size_t worth_sharing = 5;  // queries from which unpacking a list once pays

  const Scorer& scorer_;
  const Codes& codes_;
  const Lists& lists_;
  const Queries& queries_;
  std::unique_ptr<Shared> shared_;  // absent where queries are few
  std::vector<int64_t> rows_;
  std::vector<size_t> numbers_;
  std::vector<Keeper*> keepers_;
  std::vector<uint8_t> few_;
  Tails tails_;
  float scores_[chunk_rows];
  uint16_t above_[chunk_rows];
};

}  // namespace

std::vector<std::vector<Hit>> search_lists_batch(const Scorer& scorer, const Codes& codes,
                                                 const Lists& lists, const Queries& queries,
                                                 size_t k, const Probing& probing, size_t threads,
                                                 int32_t* probed) {
  const Plan& plan = scorer.plan();
  std::vector<std::vector<Hit>> hits(queries.size());
  const size_t active = std::min(most_active, std::max<size_t>(64, order_entries / plan.set.lists));
  parallel_ranges(queries.size(), threads, [&](size_t, size_t begin, size_t end) {
    ListSearch search(scorer, codes, lists, queries);
    for (size_t at = begin; at < end; at += active) {
      const size_t stop = std::min(at + active, end);
      std::vector<Visitor> visitors;
      for (size_t i = at; i < stop; ++i) visitors.emplace_back(queries[i], plan.set.lists, k);
      search.run(at, stop, probing, visitors);
      for (size_t i = at; i < stop; ++i) {
        hits[i] = visitors[i - at].keeper.sorted();
        probed[i] = static_cast<int32_t>(visitors[i - at].visited);
      }
    }
  });
  return hits;
}

}  // namespace fewbits::trellis
