#include "batch.h"

#include <cmath>
#include <numeric>

#include "../threads.h"
#include "block/sifter.h"

namespace fewbits::trellis {
namespace {

constexpr size_t most_seats = 1024;
constexpr size_t table_entries = size_t{4} << 20;  // of the lists' gammas of a flight: 16 MiB
constexpr size_t thread_rows = 4096;               // fewer do not pay a further thread
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

// Before the rows are read in order, every step-th one tells what score the k-th best row will
// about have: few hits are looked at twice. A guess that was too high is seen and made good.
struct Sample {
  size_t step = 1, rows = 0, rank = 0;

  Sample(size_t n, size_t k) {
    if (n < 16384) return;
    step = n / std::min<size_t>(4096, n / 24);
    rows = n / step;
    const double expected = static_cast<double>(k) / static_cast<double>(step);
    rank = static_cast<size_t>(std::ceil(expected + 3.5 * std::sqrt(expected) + 3));
    rank = std::min(rank, k);
    if (rank * 4 > rows) rank = 0;
  }
};

struct Work {
  const Scorer& scorer;
  const UnpackMap map;
  const Codes& codes;
  const Queries& queries;
  const std::vector<Gauge> gauges;
  const int64_t* allowed;
  size_t n, k;

  RowSource source(size_t step = 1) const {
    return RowSource(codes, scorer.plan().code_size, allowed, step);
  }
};

using Hits = std::vector<std::vector<Hit>>;

std::vector<Keeper*> pointers(std::vector<Keeper>& keepers) {
  std::vector<Keeper*> out;
  for (Keeper& keeper : keepers) out.push_back(&keeper);
  return out;
}

// The best of rows [begin, end) of every query; floors: per query.
std::vector<Keeper> best_of(const Work& work, const std::vector<size_t>& numbers,
                            const std::vector<float>& floors, size_t begin, size_t end) {
  std::vector<Keeper> keepers;
  for (size_t i = 0; i < numbers.size(); ++i) keepers.emplace_back(work.k, floors[i]);
  Flight flight(work.scorer.plan(), work.queries, work.gauges);
  flight.board(numbers.data(), numbers.size(), any_list);
  Sifter sifter(work.scorer, work.map);
  RowSource source = work.source();
  sifter.run(source, begin, end, flight, pointers(keepers).data());
  return keepers;
}

std::vector<float> guess(const Work& work, const std::vector<size_t>& numbers) {
  std::vector<float> floors(numbers.size(), minus_infinity);
  const Sample sample(work.n, work.k);
  if (sample.rank == 0) return floors;
  std::vector<Keeper> keepers(numbers.size(), Keeper(sample.rank));
  Flight flight(work.scorer.plan(), work.queries, work.gauges);
  flight.board(numbers.data(), numbers.size(), any_list);
  Sifter sifter(work.scorer, work.map);
  RowSource source = work.source(sample.step);
  sifter.run(source, 0, sample.rows, flight, pointers(keepers).data());
  for (size_t i = 0; i < numbers.size(); ++i) floors[i] = keepers[i].worst();
  return floors;
}

// Returns the queries whose floor was too high.
std::vector<size_t> search_group(const Work& work, const std::vector<size_t>& numbers,
                                 const std::vector<float>& floors, size_t threads, Hits& hits) {
  const size_t parts = std::max<size_t>(1, std::min(threads, work.n / thread_rows));
  std::vector<std::vector<Keeper>> best(parts);
  parallel_ranges(work.n, parts, [&](size_t part, size_t begin, size_t end) {
    best[part] = best_of(work, numbers, floors, begin, end);
  });
  std::vector<size_t> missed;
  for (size_t i = 0; i < numbers.size(); ++i) {
    for (size_t part = 1; part < parts; ++part) best[0][i].merge(best[part][i]);
    hits[numbers[i]] = best[0][i].sorted();
    if (hits[numbers[i]].size() < std::min(work.k, work.n)) missed.push_back(numbers[i]);
  }
  return missed;
}

void search_range(const Work& work, size_t begin, size_t end, size_t threads, Hits& hits) {
  const size_t fitting = table_entries / work.scorer.plan().set.lists / tile_lanes * tile_lanes;
  const size_t seats = std::min(most_seats, std::max(fitting, tile_lanes));
  const size_t groups = (end - begin + seats - 1) / seats;
  for (size_t g = 0; g < groups; ++g) {
    const size_t first = begin + (end - begin) * g / groups;
    std::vector<size_t> numbers(begin + (end - begin) * (g + 1) / groups - first);
    std::iota(numbers.begin(), numbers.end(), first);
    const std::vector<size_t> missed =
        search_group(work, numbers, guess(work, numbers), threads, hits);
    const std::vector<float> open(missed.size(), minus_infinity);
    if (!missed.empty()) search_group(work, missed, open, threads, hits);
  }
}

}  // namespace

std::vector<std::vector<Hit>> search_batch(const Scorer& scorer, const Codes& codes,
                                           const Queries& queries, const int64_t* allowed,
                                           size_t n_allowed, size_t k, size_t threads) {
  const size_t n = allowed == nullptr ? codes.n : n_allowed;
  const Plan& plan = scorer.plan();
  const Work work{scorer,  UnpackMap(plan), codes, queries, gauges_of(queries),
                  allowed, n,               k};
  Hits hits(queries.size());
  if (k == 0 || n == 0) return hits;
  // Threads share queries where there are full tiles for all of them, else rows.
  const size_t parts = std::min(std::max<size_t>(1, threads), queries.size() / tile_lanes);
  if (parts <= 1 || parts < threads) {
    search_range(work, 0, queries.size(), threads, hits);
    return hits;
  }
  parallel_ranges(queries.size(), parts, [&](size_t, size_t begin, size_t end) {
    search_range(work, begin, end, 1, hits);
  });
  return hits;
}

}  // namespace fewbits::trellis
