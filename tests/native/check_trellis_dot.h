// check_trellis_dot.h - trellis dot products and row tails of a level against the scalar ones, bit
// for bit: random plans, extreme rows and planes, memory that ends at a guard page.
#pragma once
#include <algorithm>
#include <vector>

#include "check_dot.h"
#include "trellis/dot/program.h"
#include "trellis/plan.h"

namespace check {

namespace trellis = fewbits::trellis;

inline const int trellis_widths[] = {1, 2, 3, 4, 6, 8, 12};

// Runs of `groups[i]` groups of trellis_widths[i], laid out as Plan does it.
struct TrellisForm {
  std::vector<trellis::Run> runs;
  size_t m = 0, pseudo = 0, code_bytes = 0;

  explicit TrellisForm(const std::vector<size_t>& groups) {
    size_t m12 = 0;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i] == 0) continue;
      trellis::Run run;
      run.width = trellis_widths[i];
      run.column = m;
      run.columns = 8 * groups[i];
      run.byte = code_bytes;
      m += run.columns;
      code_bytes += groups[i] * (run.width == 12 ? 8 : static_cast<size_t>(run.width));
      if (run.width == 12) {
        run.low_byte = code_bytes;
        code_bytes += 4 * groups[i];
        m12 = run.columns;
      }
      runs.push_back(run);
    }
    pseudo = m + m12;
  }

  std::string name() const {
    std::string out;
    for (const trellis::Run& run : runs) {
      out += " " + std::to_string(run.width) + "x" + std::to_string(run.columns);
    }
    return out;
  }
};

// Planes in both orders; each ends at the guard page.
inline trellis::PlaneView trellis_query(const trellis::Program& program, Pattern pattern,
                                        int planes, Random& random, const Guarded& memory) {
  const std::vector<uint32_t>& order = program.order();
  const size_t size = order.size();
  int8_t* at = reinterpret_cast<int8_t*>(memory.ending(4 * size));
  trellis::PlaneView view;
  view.planes = planes;
  for (size_t p = 0; p < 2; ++p) {
    int8_t* plain = at + p * size;
    int8_t* steps = at + (2 + p) * size;
    for (size_t j = 0; j < size; ++j) {
      const bool flip = pattern == Pattern::low || (pattern == Pattern::alternating && j % 2 == 0);
      const int value = pattern == Pattern::random ? random.below(255) - 127 : flip ? -127 : 127;
      plain[j] = static_cast<int8_t>(value);
      view.sum[p] += value;
    }
    for (size_t j = 0; j < size; ++j) steps[j] = plain[order[j]];
    view.plain[p] = plain;
    view.steps[p] = steps;
    view.weight[p] = random.signed_unit();
    view.base2[p] = random.below(2000001) - 1000000;
  }
  return view;
}

inline void fill_codes(Pattern pattern, Random& random, std::vector<uint8_t>& codes) {
  for (size_t i = 0; i < codes.size(); ++i) {
    const uint8_t any = static_cast<uint8_t>(random.bits());
    const uint8_t turn = i % 2 == 0 ? 0xaa : 0x55;
    codes[i] = pattern == Pattern::random ? any
               : pattern == Pattern::low  ? 0
               : pattern == Pattern::high ? 255
                                          : turn;
  }
}

inline void check_trellis_form(const std::vector<Kernels>& levels, const TrellisForm& form,
                               size_t tail, const Guarded& memory, const Guarded& planes_memory,
                               Tally& tally) {
  const size_t stride = form.code_bytes + tail, most = 130;
  const trellis::Program program(form.runs, form.m, stride);
  std::vector<uint32_t> places = program.order();
  std::sort(places.begin(), places.end());
  bool every = places.size() == form.pseudo;
  for (size_t j = 0; every && j < places.size(); ++j) every = places[j] == j;
  tally.same(&every, "\1", 1, "order is a permutation" + form.name());
  Random random(stride * 64 + form.m);
  std::vector<uint8_t> codes(most * stride);
  std::vector<float> wanted(most), got(most);
  for (const Pattern pattern : patterns) {
    for (const int planes : {1, 2}) {
      const trellis::PlaneView query =
          trellis_query(program, pattern, planes, random, planes_memory);
      fill_codes(pattern, random, codes);
      levels[0].trellis_dot(codes.data(), most, program.view(), query, wanted.data());
      for (const size_t n : {0, 1, 3, 7, 8, 9, 63, 64, 65, 130}) {
        uint8_t* at = memory.ending(n * stride);
        std::memcpy(at, codes.data(), n * stride);
        for (size_t level = 1; level < levels.size(); ++level) {
          std::fill(got.begin(), got.end(), 1234.5f);  // what follows the n results must stay
          levels[level].trellis_dot(at, n, program.view(), query, got.data());
          std::vector<float> all(wanted.begin(), wanted.begin() + static_cast<ptrdiff_t>(n));
          all.resize(most, 1234.5f);
          tally.same(got.data(), all.data(), most * sizeof(float),
                     std::string(name(levels[level].level)) + " trellis_dot n=" +
                         std::to_string(n) + " planes=" + std::to_string(planes) + " tail=" +
                         std::to_string(tail) + " pattern=" +
                         std::to_string(static_cast<int>(pattern)) + form.name());
        }
      }
    }
  }
}

inline void check_trellis_dots(const std::vector<Kernels>& levels, Tally& tally) {
  const Guarded memory(1 << 20), planes_memory(1 << 18);
  const auto check = [&](const std::vector<size_t>& groups, size_t tail) {
    const TrellisForm form(groups);
    check_trellis_form(levels, form, tail, memory, planes_memory, tally);
  };
  for (size_t i = 0; i < 7; ++i) {
    std::vector<size_t> groups(7, 0);
    for (const size_t count : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 64, 200}) {
      groups[i] = count;
      for (const size_t tail : {2, 3, 5, 10}) check(groups, tail);
    }
  }
  Random random(11);
  for (int plan = 0; plan < 150; ++plan) {
    std::vector<size_t> groups(7, 0);
    for (size_t& count : groups) {
      if (random.below(2) == 0) count = static_cast<size_t>(random.below(plan % 10 == 9 ? 60 : 14));
    }
    groups[static_cast<size_t>(random.below(7))] += 1;
    check(groups, static_cast<size_t>(2 + random.below(9)));
  }
}

// Sizes of id and scalars, lists that do not exist, NaN scalars, both scores and bounds.
inline void check_trellis_tails(const std::vector<Kernels>& levels, Tally& tally) {
  const Guarded memory(1 << 16);
  Random random(13);
  std::vector<float> t(300, -1.0f), gamma(300), values(256);
  for (float& value : gamma) value = random.signed_unit();
  for (float& value : values) value = 100 * random.signed_unit();
  const float err[3] = {0.5f, 0.25f, 0.125f};
  for (int choice = 0; choice < 3 * 3 * 2 * 2; ++choice) {
    trellis::TailForm form;
    form.id_at = 5;
    form.id_bytes = static_cast<size_t>(choice % 3);
    form.s_at = form.id_at + form.id_bytes;
    form.scalar_bytes = size_t{1} << (choice / 3 % 3);
    form.stride = form.s_at + 2 * form.scalar_bytes;
    form.last_list = form.id_bytes == 0 ? 0 : 299;
    form.s_low = 0.125f, form.s_step = 0.0078125f, form.b_low = -0.7f, form.b_step = 0.003f;
    const float* along = choice < 18 ? t.data() : gamma.data();
    const trellis::ScoreTerms terms = {along, gamma.data(), form.id_bytes == 0,
                                       choice / 9 % 2 == 0 ? nullptr : err};
    for (const size_t n : {0, 1, 7, 16, 33, 255, 256}) {
      uint8_t* rows = memory.ending(n * form.stride);
      for (size_t i = 0; i < n * form.stride; ++i) rows[i] = static_cast<uint8_t>(random.bits());
      if (form.scalar_bytes == 2) {
        // NaN halves keep no payload that all machines share.
        for (size_t i = 0; i < n; ++i) {
          for (const size_t at : {form.s_at + 1, form.s_at + 3}) {
            if ((rows[i * form.stride + at] & 0x7c) == 0x7c) rows[i * form.stride + at] ^= 0x40;
          }
        }
      }
      std::vector<float> wanted;
      for (const Kernels& level : levels) {
        trellis::Tails tails{};
        std::vector<float> got = values;
        level.trellis_tail->read(rows, n, form, tails);
        level.trellis_tail->score(tails, n, terms, got.data());
        for (float& value : got) value = value == value ? value : 0;
        if (wanted.empty()) wanted = got;
        tally.same(got.data(), wanted.data(), got.size() * sizeof(float),
                   std::string(name(level.level)) + " trellis_tail id=" +
                       std::to_string(form.id_bytes) + " scalar=" +
                       std::to_string(form.scalar_bytes) + " n=" + std::to_string(n));
      }
    }
  }
}

}  // namespace check
