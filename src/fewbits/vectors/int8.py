"""int8: one byte per dimension."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from fewbits.arrays import Floats
from fewbits.vectors.linear import Grid, LinearQuantizer
from fewbits.vectors.ranges import learn_affine, make_observer


@dataclasses.dataclass(kw_only=True, eq=False)
class Int8(LinearQuantizer, name="int8"):
    """codes = clip(rint((x - mean) / scale) + zero_point), one byte per dimension.

    By default the canonical form that vector stores expect: symmetric, one global scale found by
    the MSE observer, zero-point 0, codes in [-127, 127]. The integer arithmetic is that of ONNX
    QuantizeLinear (https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html).

    Attributes:
        symmetric: zero-point 0 and codes in [-127, 127]; else a zero-point and all 256 codes.
        observer: what finds static ranges: "minmax", "moving_average", "percentile", "entropy" or
            "mse", optionally with a parameter as in "percentile:99.9".
    """

    granularity: str = "tensor"
    symmetric: bool = True
    observer: str = "mse"

    _defaults: ClassVar[tuple[bool, bool]] = (False, False)

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        make_observer(self.observer, "tensor")

    def _grid(self) -> Grid:
        return Grid("i8", -127.0 if self.symmetric else -128.0, 127.0, high_c=127.0)

    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        scale, zero = learn_affine(
            r, self.observer, self.granularity, bits=8, symmetric=self.symmetric
        )
        # Stored bytes are signed: the unsigned codes of the asymmetric form move down by 128.
        return scale, zero if self.symmetric else zero - np.float32(128)

    def _offset_per_row(self) -> bool:
        return self.dynamic and not self.symmetric
