"""binary: one bit per dimension."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.vectors.linear import Grid, LinearQuantizer
from fewbits.vectors.ranges import channel_mean


@dataclasses.dataclass(kw_only=True, eq=False)
class Binary(LinearQuantizer, name="binary"):
    """bit = (x - mean > 0), packed as `numpy.packbits` does; it stands for +-mean(|x - mean|).

    With center=False and correct=False the bytes are the canonical bits that vector stores take.
    The corrected estimate is that of RaBitQ (arXiv 2405.12497) without its rotation.

    Attributes:
        query: "int8" keeps the query at 8 bits (asymmetric, more accurate); "bits" compares signs
            by Hamming distance (faster).
    """

    query: Literal["int8", "bits"] = "int8"

    _planes: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        if self.query not in ("int8", "bits"):
            raise InputError(f"query must be 'int8' or 'bits', got {self.query!r}")

    def _grid(self) -> Grid:
        return Grid("b1", 0.0, 1.0, zero=1.0, gain=2)

    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        step = channel_mean(np.abs(r), self.granularity)
        return step, np.ones_like(step)

    def _hamming(self) -> bool:
        return self.query == "bits"
