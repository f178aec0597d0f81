#include <cmath>

#include "../../dot_f16/dot_f16.h"
#include "rows.h"

namespace fewbits::encoder {
namespace {

float element(const Table& table, size_t at, size_t row) {
  switch (table.element) {
    case Element::f32: {
      float value;
      __builtin_memcpy(&value, static_cast<const char*>(table.values) + 4 * at, 4);
      return value;
    }
    case Element::i8:
      return table.scale[row] * static_cast<float>(static_cast<const int8_t*>(table.values)[at]);
    default: break;
  }
  uint16_t half;
  __builtin_memcpy(&half, static_cast<const char*>(table.values) + 2 * at, 2);
  if (table.element == Element::f16) return half_to_float(half);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

void lookup(const Table& table, const int32_t* at, size_t rows, bool add, float* x,
            size_t stride) {
  for (size_t r = 0; r < rows; ++r) {
    const size_t row = static_cast<size_t>(at[r]);
    for (size_t i = 0; i < table.width; ++i) {
      const float value = element(table, row * table.width + i, row);
      x[r * stride + i] = add ? x[r * stride + i] + value : value;
    }
  }
}

void add_norm(float* x, const float* residual, size_t rows, size_t width, size_t stride,
              const Norm& norm) {
  for (size_t r = 0; r < rows; ++r, x += stride) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < width; ++i) {
      if (residual != nullptr) x[i] += residual[r * stride + i];
      sum += x[i];
    }
    const double mean = sum / static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(width) + norm.eps);
    for (size_t i = 0; i < width; ++i) {
      x[i] = static_cast<float>((x[i] - mean) * inverse) * norm.weight[i] + norm.bias[i];
    }
  }
}

float activated(Activation kind, float x) {
  switch (kind) {
    case Activation::gelu: return 0.5f * x * (1 + std::erf(x * 0.707106781f));
    case Activation::gelu_tanh:
      return 0.5f * x * (1 + std::tanh(0.797884561f * x * (1 + 0.044715f * x * x)));
    case Activation::relu: return x > 0 ? x : 0;
    case Activation::silu: return x / (1 + std::exp(-x));
    default: return std::tanh(x);
  }
}

void activate(Activation kind, float* x, size_t rows, size_t width, size_t stride) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < width; ++i) x[r * stride + i] = activated(kind, x[r * stride + i]);
  }
}

// Clipping first keeps the conversion in range and changes no code.
int32_t code_of(float x, float inverse, int32_t zero) {
  const float value = x * inverse;
  if (value >= 256) return 255;
  if (value <= -256) return 0;
  const int32_t code = static_cast<int32_t>(std::nearbyint(value)) + zero;
  return code < 0 ? 0 : code > 255 ? 255 : code;
}

void pad(uint8_t* codes, size_t width) {
  for (size_t i = width; i < 4 * quads(width); ++i) codes[i] = 0;
}

void quantize_rows(const float* x, size_t rows, size_t width, size_t stride, const float* factor,
                   bool symmetric, uint8_t* codes, size_t code_stride, Row* out) {
  for (size_t r = 0; r < rows; ++r, x += stride, codes += code_stride) {
    const auto value = [&](size_t i) { return factor == nullptr ? x[i] : x[i] * factor[i]; };
    float low = 0, high = 0;
    for (size_t i = 0; i < width; ++i) {
      low = value(i) < low ? value(i) : low;
      high = value(i) > high ? value(i) : high;
    }
    const float span = symmetric ? (high > -low ? high : -low) : high - low;
    const float steps = symmetric ? 127.0f : 255.0f;
    const bool flat = span < 0x1p-100f;
    const float inverse = flat ? 0 : steps / span;
    out[r].scale = flat ? 1 : span / steps;
    out[r].zero = symmetric ? 128 : static_cast<int32_t>(std::nearbyint(-low * inverse));
    for (size_t i = 0; i < width; ++i) {
      codes[i] = static_cast<uint8_t>(code_of(value(i), inverse, out[r].zero));
    }
    pad(codes, width);
  }
}

void activate_quantize(Activation kind, float* x, size_t rows, size_t width, size_t stride,
                       const float* factor, bool symmetric, uint8_t* codes, size_t code_stride,
                       Row* out) {
  activate(kind, x, rows, width, stride);
  quantize_rows(x, rows, width, stride, factor, symmetric, codes, code_stride, out);
}

void quantize_fixed(const float* x, size_t rows, size_t width, size_t stride,
                    const float* inverse, int32_t zero, uint8_t* codes, size_t code_stride,
                    Ends& ends) {
  for (size_t r = 0; r < rows; ++r, x += stride, codes += code_stride) {
    for (size_t i = 0; i < width; ++i) {
      const int32_t code = code_of(x[i], inverse[i], zero);
      codes[i] = static_cast<uint8_t>(code);
      ends.low += code == 0;
      ends.high += code == 255;
      ends.least = code < ends.least ? code : ends.least;
      ends.most = code > ends.most ? code : ends.most;
    }
    pad(codes, width);
  }
  ends.count += rows * width;
}

}  // namespace

constinit const RowSteps rows_scalar = {lookup,        add_norm,          activate,
                                        quantize_rows, activate_quantize, quantize_fixed};

}  // namespace fewbits::encoder
