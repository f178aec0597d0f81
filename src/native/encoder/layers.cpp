#include "layers.h"

#include <cstring>

namespace fewbits::encoder {
namespace {

constexpr size_t together = 16;  // rows that pass from step to step while they are in the L1 cache
constexpr size_t panel_group = 4;  // panels that a matrix kernel takes at once

// Where the input of a linear goes, and comes from: codes, or the floats themselves.
struct Input {
  float* x;
  uint8_t* codes;
  Row* rows;
  size_t width, code_stride;
};

class Walk {
 public:
  Walk(const Kernels& kernels, const Model& model, const Piece& piece, Workspace& work,
       const Member& member, Ends* ends)
      : kernels_(kernels), steps_(*kernels.encoder_rows), model_(model), piece_(piece),
        work_(work), member_(member), ends_(ends) {}

  void run() {
    embed();
    for (size_t i = 0; i < model_.layers.size(); ++i) {
      attention(model_.layers[i]);
      const Linear* next = i + 1 < model_.layers.size() ? &model_.layers[i + 1].qkv : nullptr;
      feed_forward(model_.layers[i], next);
    }
  }

 private:
  Input hidden(float* x, size_t row = 0) const {
    return {x + row * model_.hidden, work_.codes + row * work_.code_stride, work_.rows + row,
            model_.hidden, work_.code_stride};
  }

  Input inner() const {
    return {work_.inner, work_.inner_codes, work_.inner_rows, model_.inner, work_.inner_stride};
  }

  void take(const Linear& linear, const Input& in, size_t first, size_t count) {
    if (linear.take == Take::floats) return;
    const float* x = in.x + first * in.width;
    uint8_t* codes = in.codes + first * in.code_stride;
    Row* rows = in.rows + first;
    if (linear.take == Take::dynamic) {
      steps_.quantize_rows(x, count, in.width, in.width, linear.inverse, linear.symmetric, codes,
                           in.code_stride, rows);
      return;
    }
    steps_.quantize_fixed(x, count, in.width, in.width, linear.inverse, linear.fixed.zero, codes,
                          in.code_stride, ends_[linear.number]);
    std::fill_n(rows, count, linear.fixed);
  }

  // out = linear(in), this member's channels of `count` rows.
  void multiply(const Linear& linear, const Input& in, size_t count, float* out,
                size_t out_stride) {
    const bool floats = linear.take == Take::floats;
    const size_t n = floats ? linear.values.n : linear.codes.n;
    const Share mine = member_.share(panels(n), panel_group);
    if (mine.empty()) return;
    if (floats) {
      kernels_.encoder_gemm_f32(in.x, count, in.width, linear.values, mine.begin, mine.end, out,
                                out_stride);
    } else {
      kernels_.encoder_gemm_u8(in.codes, count, in.code_stride, in.rows, linear.codes, mine.begin,
                               mine.end, out, out_stride);
    }
  }

  // body(first, count) for this member's rows, a few at a time.
  template <typename Body>
  void each_rows(size_t rows, const Body& body) {
    const Share mine = member_.share(rows);
    for (size_t at = mine.begin; at < mine.end; at += together) {
      body(at, std::min(together, mine.end - at));
    }
  }

  void positions() {
    const int32_t offset = model_.position_offset;
    const int32_t* ids = piece_.ids;
    int32_t* out = work_.positions;
    for (size_t s = 0; s < piece_.sequences; ++s) {
      int32_t seen = 0;
      for (int64_t t = 0; t < piece_.lengths[s]; ++t, ++ids, ++out) {
        // A padding token spelled out in a text keeps the padding row and is not counted.
        const bool padding = offset > 0 && *ids == offset - 1;
        *out = padding ? offset - 1 : offset + seen++;
      }
    }
  }

  void embed() {
    if (member_.index == 0) positions();
    member_.wait();
    const size_t width = model_.hidden;
    each_rows(piece_.tokens, [&](size_t at, size_t count) {
      float* x = work_.x + at * width;
      steps_.lookup(model_.word, piece_.ids + at, count, false, x, width);
      steps_.lookup(model_.position, work_.positions + at, count, true, x, width);
      if (model_.token_type.rows > 0) {
        steps_.lookup(model_.token_type, work_.zeros + at, count, true, x, width);
      }
      steps_.add_norm(x, nullptr, count, width, width, model_.embedding_norm);
      if (!model_.layers.empty()) take(model_.layers[0].qkv, hidden(work_.x), at, count);
    });
    member_.wait();
  }

  // The bias of all heads for one length: the middle of each head's distances.
  const float* bias_for(size_t length) {
    if (model_.bias == nullptr) return nullptr;
    float* out = work_.bias[member_.index];
    if (length == bias_length_) return out;
    const size_t all = 2 * model_.bias_length - 1, some = 2 * length - 1;
    for (size_t h = 0; h < model_.heads; ++h) {
      std::memcpy(out + h * some, model_.bias + h * all + (model_.bias_length - length),
                  some * sizeof(float));
    }
    bias_length_ = length;
    return out;
  }

  void attend() {
    const Share heads = member_.share(model_.heads);
    const size_t width = model_.hidden;
    size_t at = 0;
    for (size_t s = 0; s < piece_.sequences; ++s) {
      const auto length = static_cast<size_t>(piece_.lengths[s]);
      if (length == 0) continue;
      const Sequence sequence{work_.qkv + at * 3 * width, length, width, width / model_.heads,
                              bias_for(length)};
      if (!heads.empty()) {
        kernels_.encoder_attend(sequence, heads.begin, heads.end, work_.context + at * width,
                                work_.scratch[member_.index]);
      }
      at += length;
    }
  }

  void attention(const Layer& layer) {
    const size_t tokens = piece_.tokens, width = model_.hidden;
    multiply(layer.qkv, hidden(work_.x), tokens, work_.qkv, 3 * width);
    member_.wait();
    attend();
    member_.wait();
    const Input context = hidden(work_.context);
    each_rows(tokens, [&](size_t at, size_t count) {
      take(layer.attention_out, context, at, count);
    });
    member_.wait();
    multiply(layer.attention_out, context, tokens, work_.y, width);
    member_.wait();
    each_rows(tokens, [&](size_t at, size_t count) {
      float* y = work_.y + at * width;
      steps_.add_norm(y, work_.x + at * width, count, width, width, layer.attention_norm);
      take(layer.ffn_in, hidden(work_.y), at, count);
    });
    member_.wait();
  }

  void activate(const Linear& linear, size_t at, size_t count) {
    const Input in = inner();
    float* x = in.x + at * in.width;
    if (linear.take == Take::dynamic) {
      steps_.activate_quantize(model_.activation, x, count, in.width, in.width, linear.inverse,
                               linear.symmetric, in.codes + at * in.code_stride, in.code_stride,
                               in.rows + at);
      return;
    }
    steps_.activate(model_.activation, x, count, in.width, in.width);
    take(linear, in, at, count);
  }

  void feed_forward(const Layer& layer, const Linear* next) {
    const size_t width = model_.hidden, block = block_of(model_, piece_.tokens);
    for (size_t start = 0; start < piece_.tokens; start += block) {
      const size_t rows = std::min(block, piece_.tokens - start);
      multiply(layer.ffn_in, hidden(work_.y, start), rows, work_.inner, model_.inner);
      member_.wait();
      each_rows(rows, [&](size_t at, size_t count) { activate(layer.ffn_out, at, count); });
      member_.wait();
      multiply(layer.ffn_out, inner(), rows, work_.x + start * width, width);
      member_.wait();
      each_rows(rows, [&](size_t at, size_t count) {
        float* x = work_.x + (start + at) * width;
        steps_.add_norm(x, work_.y + (start + at) * width, count, width, width, layer.ffn_norm);
        if (next != nullptr) take(*next, hidden(work_.x), start + at, count);
      });
    }
    member_.wait();
  }

  const Kernels& kernels_;
  const RowSteps& steps_;
  const Model& model_;
  const Piece& piece_;
  Workspace& work_;
  const Member& member_;
  Ends* ends_;
  size_t bias_length_ = 0;
};

}  // namespace

size_t block_of(const Model& model, size_t tokens) {
  // The wide rows and their codes share the L2 cache with the weights in flight.
  const size_t fits = (size_t{384} << 10) / (5 * model.inner) / 6 * 6;
  return std::min(tokens, std::max<size_t>(48, fits));
}

void run_layers(const Kernels& kernels, const Model& model, const Piece& piece, Workspace& work,
                const Member& member, Ends* ends) {
  Walk(kernels, model, piece, work, member, ends).run();
}

}  // namespace fewbits::encoder
