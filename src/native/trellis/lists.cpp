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
constexpr size_t order_entries = size_t{2} << 20;  // of their lists by nearness: 16 MiB
constexpr size_t most_step = 96;                   // lists between two looks at a margin

// A query on its way through the lists, nearest first.
class Visitor {
 public:
  Visitor(const Query& query, size_t lists, size_t k) : query_(&query), order_(lists), keeper(k) {
    for (size_t l = 0; l < lists; ++l) order_[l] = (uint64_t{descending(query.gamma[l])} << 32) | l;
  }

  // Names the next lists, at most `step`; false where there is none to visit.
  bool name(const Probing& probing, size_t step, uint32_t slot,
            std::vector<std::pair<uint32_t, uint32_t>>& wanted) {
    const size_t all = order_.size();
    const size_t most = probing.probes == 0 ? all : std::min(all, probing.probes);
    const size_t before = visited;
    const size_t end = std::min(most, before + step);
    if (end > sorted_) sort_to(std::min(all, std::max(end, 2 * sorted_)), probing.margin >= 0);
    for (; visited < end; ++visited) {
      if (!worth(probing.margin)) break;
      wanted.emplace_back(static_cast<uint32_t>(order_[visited]), slot);
    }
    return visited > before;
  }

 private:
  // Numbers in the opposite order of floats.
  static uint32_t descending(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7fffffffu;
  }

  // Lists sorted_ to `end` come to their places; in order if somebody looks at each.
  void sort_to(size_t end, bool each) {
    const auto from = order_.begin() + static_cast<ptrdiff_t>(sorted_);
    const auto to = order_.begin() + static_cast<ptrdiff_t>(end);
    if (end < order_.size()) std::nth_element(from, to, order_.end());
    if (each) std::sort(from, to);
    sorted_ = end;
  }

  bool worth(double margin) {
    if (margin < 0 || keeper.size() < keeper.capacity()) return true;
    return !(double{query_->gamma[static_cast<uint32_t>(order_[visited])]} + margin * query_->noise <
             double{keeper.worst()});
  }

  const Query* query_;
  // Lists behind their keys: the greater gamma first, of equals the lower list. The first `sorted_`
  // are in their places.
  std::vector<uint64_t> order_;
  size_t sorted_ = 0;

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
    // The nearest lists first: they raise the bar for the others. Without a margin these are known.
    size_t step = probing.margin < 0 ? std::max<size_t>(4, probing.probes / 8) : 4;
    std::vector<std::pair<uint32_t, uint32_t>> wanted;
    do {
      wanted.clear();
      for (size_t i = begin; i < end; ++i) {
        visitors[i - begin].name(probing, step, static_cast<uint32_t>(i - begin), wanted);
      }
      group_by_list(wanted);
      for (size_t list = 0; list + 1 < starts_.size(); ++list) {
        const size_t count = starts_[list + 1] - starts_[list];
        if (count > 0) visit(list, slots_.data() + starts_[list], count, begin, visitors);
      }
      step = probing.margin < 0 ? scorer_.plan().set.lists : std::min(2 * step, most_step);
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

  // slots_[starts_[l] .. starts_[l + 1]): who wants list l, ascending.
  void group_by_list(const std::vector<std::pair<uint32_t, uint32_t>>& wanted) {
    starts_.assign(scorer_.plan().set.lists + 1, 0);
    for (const auto& want : wanted) ++starts_[want.first];
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    slots_.resize(wanted.size());
    for (size_t i = wanted.size(); i-- > 0;) slots_[--starts_[wanted[i].first]] = wanted[i].second;
  }

  void visit(size_t list, const uint32_t* slots, size_t count, size_t begin,
             std::vector<Visitor>& visitors) {
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
      numbers_.push_back(begin + slots[i]);
      keepers_.push_back(&visitors[slots[i]].keeper);
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
  std::vector<size_t> starts_;
  std::vector<uint32_t> slots_;
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
