"""int4: two dimensions per byte."""

from __future__ import annotations

import dataclasses

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.linear import Grid, LinearQuantizer
from fewbits.vectors.ranges import learn_affine, make_observer


@dataclasses.dataclass(kw_only=True, eq=False)
class Int4(LinearQuantizer, name="int4"):
    """codes = clip(rint((x - mean) / scale) + zero_point), 4 bits per dimension.

    Stored as codes 1..15 around 8 where symmetric, 0..15 otherwise. By default rows are centred
    and corrected, with a scale per dimension that minimises the squared error.

    Attributes:
        symmetric: 15 levels around 0; else a zero-point and 16 levels.
        observer: what finds static ranges, see `Int8`.
    """

    symmetric: bool = True
    observer: str = "mse"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        make_observer(self.observer, "tensor")

    def _grid(self) -> Grid:
        if self.symmetric:
            return Grid("u4", 1.0, 15.0, zero=8.0, high_c=7.0)
        return Grid("u4", 0.0, 15.0)

    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        scale, zero = learn_affine(
            r, self.observer, self.granularity, bits=4, symmetric=self.symmetric
        )
        return scale, zero + np.float32(8) if self.symmetric else zero

    def _offset_per_row(self) -> bool:
        return self.dynamic and not self.symmetric
