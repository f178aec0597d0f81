// model.h - an encoder as the native executor sees it. Everything pointed to outlives it.
#pragma once
#include <vector>

#include "rows/rows.h"
#include "weights.h"

namespace fewbits::encoder {

// How a linear takes its input rows.
enum class Take { floats, dynamic, fixed };

struct Linear {
  Take take = Take::floats;
  WeightsI8 codes{};          // where codes are taken
  WeightsFloat values{};      // where floats are taken
  bool symmetric = false;     // dynamic
  const float* inverse = nullptr;  // k factors of the input; dynamic: null where there are none
  Row fixed{1.0f, 0};
  size_t number = 0;          // its place among all linears, for counting
};

struct Layer {
  Linear qkv, attention_out, ffn_in, ffn_out;
  Norm attention_norm{}, ffn_norm{};
};

// How token rows become one row: the modes of fewbits.models.spec.POOLING_MODES, in that order.
enum class Pool { cls, max, mean, mean_sqrt, weighted, last };

struct Model {
  size_t hidden = 0, heads = 0, inner = 0;
  Activation activation = Activation::gelu;
  Table word{}, position{}, token_type{};  // token_type.rows == 0: none
  Norm embedding_norm{};
  int32_t position_offset = 0;    // row of the first token; above 0, id offset - 1 is padding
  const float* bias = nullptr;    // (heads, 2 * bias_length - 1) by distance, or null
  size_t bias_length = 0;
  std::vector<Layer> layers;
  std::vector<Pool> pooling;

  size_t linears() const { return 4 * layers.size(); }
  size_t width() const { return hidden * pooling.size(); }  // of a result
};

}  // namespace fewbits::encoder
