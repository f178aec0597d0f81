"""ternary: five dimensions per byte, 1.6 bits each."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.linear import Grid, LinearQuantizer
from fewbits.vectors.ranges import channel_mean

# Lloyd-Max for N(0,1) with three levels: values 0 and +-1.2240, thresholds +-0.6120 (Max 1960). The
# thresholds are half the outer value, so rounding x / 1.2240 to -1, 0, 1 is this quantizer.
OUTER_LEVEL = 1.2240


@dataclasses.dataclass(kw_only=True, eq=False)
class Ternary(LinearQuantizer, name="ternary"):
    """codes = clip(rint((x - mean) / step), -1, 1), step = 1.224 root mean squares.

    Static: the root mean square of each channel of the centred calibration rows; dynamic: that of
    the vector itself. Five codes share a byte in base 3.
    """

    _planes: ClassVar[int] = 1

    def _grid(self) -> Grid:
        return Grid("trit", 0.0, 2.0, zero=1.0, rms_factor=OUTER_LEVEL)

    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        squares = channel_mean(np.square(r, dtype=np.float64), self.granularity)
        step = (OUTER_LEVEL * np.sqrt(squares.astype(np.float64))).astype(np.float32)
        step[step < np.float32(2.0**-78)] = 1  # a constant dimension: every code is 0
        return step, np.ones_like(step)
