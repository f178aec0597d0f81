"""Constants of trellis codes: code values per window, their scales, and the integer cost scales.

A column coded with R bits takes its value from a table of 64, indexed by the last six bits of the
bit stream, the newest bit least significant. The tables were trained by Lloyd's method on the best
paths through N(0, 1) data; mean squared errors .286, .0784, .0223, .0069 at 1 to 4 bits, against
.363, .118, .035, .0095 of the best scalar codes.
Method: A. Tseng et al., "QTIP: Quantization with Trellises and Incoherence Processing", 2024.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = NDArray[np.int8]

STATE_BITS = 5  # bits of history that a window shares with the one before, at one bit per column
WINDOW_BITS = 6
STATES = 1 << STATE_BITS
WINDOWS = 1 << WINDOW_BITS

WIDTHS = (1, 2, 3, 4, 6, 8, 12)
TRELLIS_WIDTHS = (1, 2, 3, 4)

# fmt: off
_VALUES = {
    1: (
        -127, -7, 30, -56, 12, 98, -34, 31, -66, 13, 56, -30, 21, -84, -19, 83, -61, 36,
        -81, -2, 51, -41, 4, 118, -25, 50, -52, 32, 70, -31, 33, -51, -1, 90, -57, 19, -83,
        -1, 44, -55, 10, -107, -19, 50, -54, 33, 91, -17, 33, -51, 1, 83, -30, 45, -87, 5,
        69, -30, 25, -77, -15, 67, -52, 29,
    ),
    2: (
        -127, -5, 40, -45, 5, 94, -25, 32, -66, 7, 69, -25, 21, -65, -16, 60, -38, 26, -102,
        -7, 46, -38, 9, 125, -18, 45, -54, 11, 71, -18, 28, -59, -1, 68, -37, 29, -74, 2,
        53, -33, 13, -92, -18, 49, -53, 16, 97, -16, 38, -44, 2, 85, -28, 37, -72, 1, 59,
        -29, 17, -82, -14, 56, -50, 19,
    ),
    3: (
        -127, -8, 47, -51, 11, 85, -25, 30, -56, 6, 67, -29, 25, -78, -10, 52, -31, 23, -92,
        -9, 41, -47, 9, 125, -12, 41, -45, 6, 65, -26, 26, -63, 5, 70, -23, 24, -66, -8, 50,
        -38, 21, -99, -7, 45, -41, 8, 100, -19, 39, -44, 9, 83, -23, 25, -64, -4, 66, -23,
        27, -78, -5, 47, -42, 13,
    ),
    4: (
        -125, -11, 38, -40, 9, 86, -17, 29, -51, 3, 62, -25, 21, -66, -3, 50, -29, 18, -86,
        -6, 44, -37, 11, 127, -13, 34, -45, 5, 76, -19, 27, -56, 2, 60, -24, 23, -67, -4,
        48, -32, 16, -101, -10, 37, -41, 10, 101, -15, 32, -47, 5, 70, -19, 25, -58, -1, 55,
        -27, 19, -77, -7, 43, -34, 13,
    ),
}
# fmt: on
VALUES: dict[int, Table] = {bits: np.array(v, dtype=np.int8) for bits, v in _VALUES.items()}

# One step of a table in standard deviations of the column.
SCALE = {
    1: 2.11308 / 127,
    2: 2.66897 / 127,
    3: 2.8133 / 127,
    4: 2.91024 / 127,
}
# Steps of the uniform codes in standard deviations: least squared error for N(0, 1) at 6 and 8
# bits; at 12 bits the range is 8 standard deviations, so that nothing is clipped.
STEP = {6: 2 * 3.28 / 64, 8: 2 * 3.92 / 256, 12: 16 / 4096}

# Path costs are 16-bit integers: a difference is taken in units of SCALE / COST_SCALE, doubled
# DOUBLINGS times with saturation, squared, and shifted down by 16.
COST_SCALE = {1: 80, 2: 172, 3: 200, 4: 220}
DOUBLINGS = {1: 0, 2: 0, 3: 1, 4: 2}
UNREACHED = 30_000  # cost of a start state other than 0

# Mean squared error per width for N(0, 1), what the allocation of bits weighs.
DISTORTION = {0: 1.0, 1: 0.286, 2: 0.0784, 3: 0.0223, 4: 0.0068, 6: 1.04e-3, 8: 8.8e-5, 12: 1.3e-6}

# Bit reversal of a window: rows are read least significant bit first, see docs/format.md.
REVERSED = np.array([int(f"{w:06b}"[::-1], 2) for w in range(WINDOWS)])
