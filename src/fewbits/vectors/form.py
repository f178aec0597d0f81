"""The linear form: what every built-in code means, as data.

A row is stored as integers u and up to three float32 factors, and stands for

    c = gain * u - zero_point          (integers)
    v = mean + alpha * step * c + beta * direction

so that an inner product is one integer dot product and a few float operations,

    <q, v> = <q, mean> + alpha * <q * step, c> + beta * <q, direction>,

whatever the width of the code. The numpy specification, the native kernels and the decoders all
read this one description; a quantizer only fills it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from fewbits.arrays import Floats
from fewbits.numerics.packing import packed_size, trits_size

Metric: TypeAlias = Literal["cosine", "ip", "l2"]
Packing: TypeAlias = Literal["i8", "u4", "trit", "b1", "f16"]
StepRule: TypeAlias = Literal["fixed", "row", "offset"]

# In the order in which the native code numbers them.
METRICS: tuple[Metric, ...] = ("cosine", "ip", "l2")
PACKINGS: tuple[Packing, ...] = ("i8", "u4", "trit", "b1", "f16")
STEP_RULES: tuple[StepRule, ...] = ("fixed", "row", "offset")

# A code that says almost nothing of its row cannot blow the estimate up beyond this.
ALPHA_LIMIT = 2.0**20
_LEAST_MEAN_SQUARES = 2.0**-120


def payload_size(packing: Packing, d: int) -> int:
    """Return the bytes that the codes of one row take, factors not counted."""
    if packing == "i8":
        return d
    if packing == "f16":
        return 2 * d
    return trits_size(d) if packing == "trit" else packed_size(d, 4 if packing == "u4" else 1)


def is_usable_mean(mean: Floats) -> bool:
    """Whether <q, mean> / |mean|^2 and beta stay within float32 for every q that the gate lets in.

    A shorter mean (other than 0) lies so near to 0 that centring has nothing to gain.
    """
    wide = mean.astype(np.float64)
    return not wide.any() or float(wide @ wide) >= _LEAST_MEAN_SQUARES


@dataclass(frozen=True, eq=False)
class LinearForm:
    """One quantizer's meaning of its code rows.

    Attributes:
        packing: how the stored values u lie in a row.
        d: dimensions.
        metric: cosine normalises rows and queries first.
        step_rule: "fixed" steps learned beforehand; "row": one step per row, from its largest
            magnitude or its root mean square; "offset": step and zero-point per row.
        low, high: bounds of the stored u.
        high_c: largest code magnitude, what max|r| is divided by under "row".
        rms_factor: the step in units of the row's root mean square, 0 to use max|r|.
        gain: 1, or 2 for bits, where c = 2u - 1.
        correct: alpha makes <r, v - mean> = |r|^2 exact (the unbiased ratio of RaBitQ, EDEN and
            ASH), beta (ip, cosine) makes the component along the mean exact.
        alpha, beta, nu: which factors a row carries; nu is the squared norm that l2 needs.
        mean, step, zero: float32 (d,); zero holds integers.
        planes: int8 planes per query: 1, or 2 for about 15 bits.
        hamming: queries are bits, too (b1 only).
    """

    packing: Packing
    d: int
    metric: Metric
    low: float
    high: float
    mean: Floats
    step: Floats
    zero: Floats
    step_rule: StepRule = "fixed"
    high_c: float = 0.0
    rms_factor: float = 0.0
    gain: int = 1
    correct: bool = False
    planes: int = 2
    hamming: bool = False
    alpha: bool = field(init=False)
    beta: bool = field(init=False)
    nu: bool = field(init=False)

    def __post_init__(self) -> None:
        """Derive which factors a row carries."""
        l2 = self.metric == "l2"
        object.__setattr__(self, "alpha", self.correct or self.step_rule != "fixed")
        cross = self.correct and not l2 and bool(np.any(self.mean))
        object.__setattr__(self, "beta", cross or self.step_rule == "offset")
        object.__setattr__(self, "nu", l2)

    def __getstate__(self) -> dict[str, object]:
        """Leave out the native counterpart, which is made again where it is needed."""
        return {key: value for key, value in self.__dict__.items() if key != "_native"}

    @property
    def payload(self) -> int:
        """Bytes of codes at the start of a row."""
        return payload_size(self.packing, self.d)

    @property
    def code_size(self) -> int:
        """Bytes of a row: payload, then alpha, beta and nu where present."""
        return self.payload + 4 * (self.alpha + self.beta + self.nu)

    @property
    def direction(self) -> Floats:
        """What beta multiplies: ones for a per-row offset, else mean / |mean|^2."""
        if self.step_rule == "offset":
            return np.ones(self.d, dtype=np.float32)
        wide = self.mean.astype(np.float64)
        squares = wide @ wide
        return (wide / squares if squares > 0 else wide).astype(np.float32)
