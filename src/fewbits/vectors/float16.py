"""float16: IEEE halves, two bytes per dimension."""

from __future__ import annotations

import dataclasses

import numpy as np

from fewbits.arrays import Bytes, Floats
from fewbits.errors import InputError
from fewbits.vectors.linear import Grid, LinearQuantizer

_LIMIT = 65_520.0  # halves end at 65,504; what rounds beyond would become infinite


@dataclasses.dataclass(kw_only=True, eq=False)
class Float16(LinearQuantizer, name="float16"):
    """codes = float16(x), half to even. Nothing is learned; relative error at most 2^-11."""

    def __post_init__(self) -> None:
        """Fix what halves leave no choice about."""
        self.center, self.correct = bool(self.center), bool(self.correct)
        super().__post_init__()
        if self.center or self.correct or self.rounding != "nearest" or self.dynamic:
            raise InputError("float16 takes no center, correct, rounding or dynamic; drop them")

    @property
    def needs_fit(self) -> bool:
        """Halves need no calibration."""
        return False

    def _grid(self) -> Grid:
        return Grid("f16", 0.0, 0.0)

    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        return np.ones(r.shape[1], np.float32), np.zeros(r.shape[1], np.float32)

    def _fit(self, x: Floats) -> None:
        self.__dict__.pop("_cached_form", None)

    def _encode(self, x: Floats, threads: int | None) -> Bytes:
        if self.metric != "cosine" and x.size and max(x.max(), -x.min()) >= _LIMIT:
            row, column = np.argwhere(np.abs(x) >= _LIMIT)[0]
            raise InputError(
                f"x[{row}, {column}] is {x[row, column]:g}, float16 holds up to 65504; "
                "use int8, or metric='cosine'"
            )
        return super()._encode(x, threads)
