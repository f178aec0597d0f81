// tables.h - the constants of trellis codes; fewbits/vectors/trellis/tables.py holds the same.
//
// levels[R - 1][w]: the value of trellis window w (six bits, the newest one least significant) at R
// bits per column, in units of scales[R - 1]. Trained by Lloyd's method on the best paths of
// standard normal data, then rounded so that the largest magnitude is 127.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace fewbits::trellis {

inline constexpr int states = 32;
inline constexpr int windows = 64;
inline constexpr int most_trellis_width = 4;

inline constexpr int8_t levels[4][windows] = {
    {-127, -7, 30, -56, 12, 98, -34, 31, -66, 13, 56, -30, 21, -84, -19, 83,
     -61, 36, -81, -2, 51, -41, 4, 118, -25, 50, -52, 32, 70, -31, 33, -51,
     -1, 90, -57, 19, -83, -1, 44, -55, 10, -107, -19, 50, -54, 33, 91, -17,
     33, -51, 1, 83, -30, 45, -87, 5, 69, -30, 25, -77, -15, 67, -52, 29},
    {-127, -5, 40, -45, 5, 94, -25, 32, -66, 7, 69, -25, 21, -65, -16, 60,
     -38, 26, -102, -7, 46, -38, 9, 125, -18, 45, -54, 11, 71, -18, 28, -59,
     -1, 68, -37, 29, -74, 2, 53, -33, 13, -92, -18, 49, -53, 16, 97, -16,
     38, -44, 2, 85, -28, 37, -72, 1, 59, -29, 17, -82, -14, 56, -50, 19},
    {-127, -8, 47, -51, 11, 85, -25, 30, -56, 6, 67, -29, 25, -78, -10, 52,
     -31, 23, -92, -9, 41, -47, 9, 125, -12, 41, -45, 6, 65, -26, 26, -63,
     5, 70, -23, 24, -66, -8, 50, -38, 21, -99, -7, 45, -41, 8, 100, -19,
     39, -44, 9, 83, -23, 25, -64, -4, 66, -23, 27, -78, -5, 47, -42, 13},
    {-125, -11, 38, -40, 9, 86, -17, 29, -51, 3, 62, -25, 21, -66, -3, 50,
     -29, 18, -86, -6, 44, -37, 11, 127, -13, 34, -45, 5, 76, -19, 27, -56,
     2, 60, -24, 23, -67, -4, 48, -32, 16, -101, -10, 37, -41, 10, 101, -15,
     32, -47, 5, 70, -19, 25, -58, -1, 55, -27, 19, -77, -7, 43, -34, 13},
};

inline constexpr double scales[4] = {2.11308 / 127, 2.66897 / 127, 2.8133 / 127, 2.91024 / 127};

// Steps of the uniform codes, in standard deviations: ranges of 3.28, 3.92 and 8 of them each side.
inline constexpr double step6 = 2 * 3.28 / 64;
inline constexpr double step8 = 2 * 3.92 / 256;
inline constexpr double step12 = 16.0 / 4096;

// Targets and levels are int16 multiples of 1 / cost_scale of a level; the error of one column is
// doubled so often before it is squared, so that every width uses the 16 bits of a cost.
inline constexpr int cost_scale[4] = {80, 172, 200, 220};
inline constexpr int doublings[4] = {0, 0, 1, 2};

inline constexpr uint16_t unreachable = 30000;  // first cost of the states that no path starts in

constexpr uint8_t reversed6(int window) {
  int out = 0;
  for (int bit = 0; bit < 6; ++bit) out |= (window >> bit & 1) << (5 - bit);
  return static_cast<uint8_t>(out);
}

using Lut = std::array<uint8_t, windows>;

// Stored value U of six code bits taken as a little-endian number, at width 1 .. 4 or 6. Width 12
// gives the table of its low nibbles: the upper four of the six bits count.
constexpr Lut stored_lut(int width) {
  Lut out{};
  for (int bits = 0; bits < windows; ++bits) {
    int value = 2 * bits + 65;
    if (width == 12) value = bits >> 2;
    if (width <= most_trellis_width) value = levels[width - 1][reversed6(bits)] + 128;
    out[static_cast<size_t>(bits)] = static_cast<uint8_t>(value);
  }
  return out;
}

}  // namespace fewbits::trellis
