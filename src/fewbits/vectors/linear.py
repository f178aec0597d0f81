"""Shared by all quantizers whose codes have the linear form: calibration, encoding, scanning.

A kind fills in `_grid` (how values are stored) and `_learn` (steps and zero-points from centred
calibration rows); everything else, native kernels included, follows from the form.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import MAX_ABS, Bytes, Floats, as_count, as_matrix
from fewbits.errors import InputError
from fewbits.numerics.granularity import Granularity
from fewbits.vectors import kernels, specification
from fewbits.vectors.form import LinearForm, Packing, is_usable_mean
from fewbits.vectors.learner import learned
from fewbits.vectors.quantizer import Quantizer

if TYPE_CHECKING:
    from typing_extensions import Self

_SPEC_ROWS = 1024  # rows at a time where the numpy specification does the work


@dataclasses.dataclass(frozen=True)
class Grid:
    """How one kind stores its integers.

    Attributes:
        packing: layout of the stored values u.
        low, high: bounds of u.
        zero: u of the code 0 where it is the same for every dimension.
        gain: 1, or 2 for bits.
        high_c: largest code magnitude.
        rms_factor: per-row step in units of the row's root mean square, 0 for its largest value.
    """

    packing: Packing
    low: float
    high: float
    zero: float = 0.0
    gain: int = 1
    high_c: float = 1.0
    rms_factor: float = 0.0


@dataclasses.dataclass(kw_only=True, eq=False)
class LinearQuantizer(Quantizer):
    """Base of the kinds in linear form.

    Attributes:
        granularity: which values share a static step: "tensor", "dimension" or "group:<columns>";
            "vector" is the same as dynamic=True.
        dynamic: each vector brings its own range, stored with its code; no fit is needed.
        center: subtract the mean of the calibration rows first. Default: the kind's.
        correct: store the two factors that make <r, decoded> and the component along the mean
            exact, for better estimates of inner products. Default: the kind's.
        rounding: "nearest" (half to even), or "stochastic" with noise keyed on (seed, row).
        seed: of stochastic rounding.
    """

    granularity: str = "dimension"
    dynamic: bool = False
    center: bool | None = None
    correct: bool | None = None
    rounding: Literal["nearest", "stochastic"] = "nearest"
    seed: int = 0
    mean: Floats | None = learned()
    step: Floats | None = learned()
    zero: Floats | None = learned()

    _defaults: ClassVar[tuple[bool, bool]] = (True, True)  # center, correct
    _planes: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Check the parameters and resolve the defaults that depend on others."""
        super().__post_init__()
        self._check_flags()
        kind = Granularity.parse(self.granularity).kind
        self.dynamic = bool(self.dynamic) or kind == "vector"
        if self.dynamic:
            self.granularity = "vector"
        if self.rounding not in ("nearest", "stochastic"):
            raise InputError(f"rounding must be 'nearest' or 'stochastic', got {self.rounding!r}")
        self.seed = as_count(self.seed, "seed")
        if self.seed >= 1 << 64:
            raise InputError(f"seed must be below 2**64, got {self.seed}")
        center, correct = self._defaults
        if self.center is None:
            self.center = center and not self.dynamic
        if self.correct is None:
            self.correct = correct and not self._offset_per_row()
        self._check_combination()

    def _check_flags(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            optional = field.name in ("center", "correct")
            if (type(field.default) is bool or optional) and not (value is None and optional):
                if not isinstance(value, (bool, np.bool_)):
                    raise InputError(f"{field.name} must be True or False, got {value!r}")
                setattr(self, field.name, bool(value))

    def _check_combination(self) -> None:
        if self.dynamic and self.center:
            raise InputError("center=True needs the mean of a calibration set; use dynamic=False")
        if self.correct and self._offset_per_row():
            raise InputError(
                "correct=True cannot be combined with a zero-point per vector; use symmetric=True"
            )

    @property
    def needs_fit(self) -> bool:
        """Static ranges need calibration rows; dynamic ones do not."""
        return not self.dynamic

    def with_state(self, state: dict[str, Any]) -> Self:
        """Take over learned state as `state` returned it. Returns self."""
        self.__dict__.pop("_cached_form", None)
        super().with_state(state)
        known = [value for value in (self.mean, self.step, self.zero) if value is not None]
        if known or (self.needs_fit and self.calibration_rows is not None):
            self._check_state()
        return self

    def form(self) -> LinearForm:
        """Return what the code rows mean; dimensions must be known."""
        cached: LinearForm | None = self.__dict__.get("_cached_form")
        if cached is None or cached.d != self.dims:
            _ = self.code_size  # raises where dimensions are unknown
            assert self.dims is not None
            cached = self._build_form(self.dims)
            self.__dict__["_cached_form"] = cached
        return cached

    def clipped_fraction(self, x: ArrayLike) -> float:
        """Return the share of values, 0 to 1, that fall outside the range of the codes."""
        rows = as_matrix(x, dims=self.dims)
        form = self.form()
        if self.dynamic or form.packing in ("b1", "f16") or rows.size == 0:
            return 0.0
        y = specification.normalise(rows) if self.metric == "cosine" else rows
        levels = np.rint((y - form.mean) / form.step) + form.zero
        outside = np.count_nonzero(levels < form.low) + np.count_nonzero(levels > form.high)
        return outside / rows.size

    # Filled in by kinds.

    @abstractmethod
    def _grid(self) -> Grid:
        """Return how values are stored."""

    @abstractmethod
    def _learn(self, r: Floats) -> tuple[Floats, Floats]:
        """Return (step, zero), float32 (d,), from centred rows (n, d); zero in units of u."""

    def _offset_per_row(self) -> bool:
        return False

    def _hamming(self) -> bool:
        return False

    # The maths of the base.

    def _fit(self, x: Floats) -> None:
        self.__dict__.pop("_cached_form", None)
        d = x.shape[1]
        if self.dynamic:
            return
        y = specification.normalise(x) if self.metric == "cosine" else x
        mean = np.zeros(d, dtype=np.float32)
        if self.center:
            mean = y.mean(axis=0, dtype=np.float64).astype(np.float32)
            if not is_usable_mean(mean):
                mean = np.zeros(d, dtype=np.float32)
        self.step, self.zero = self._learn(y - mean)
        self.mean = mean

    def _build_form(self, d: int) -> LinearForm:
        grid = self._grid()
        ones, zeros = np.ones(d, dtype=np.float32), np.zeros(d, dtype=np.float32)
        rule = "fixed"
        if self.dynamic:
            rule = "offset" if self._offset_per_row() else "row"
        return LinearForm(
            packing=grid.packing,
            d=d,
            metric=self.metric,
            low=grid.low,
            high=grid.high,
            mean=zeros if self.mean is None else self.mean,
            step=ones if self.step is None else self.step,
            zero=np.full(d, grid.zero, np.float32) if self.zero is None else self.zero,
            step_rule=rule,  # type: ignore[arg-type]
            high_c=grid.high_c,
            rms_factor=grid.rms_factor,
            gain=grid.gain,
            correct=bool(self.correct),
            planes=1 if self._hamming() else self._planes,
            hamming=self._hamming(),
        )

    def _code_size(self, d: int) -> int:
        cached: LinearForm | None = self.__dict__.get("_cached_form")
        return cached.code_size if cached is not None else self._build_form(d).code_size

    def _encode(self, x: Floats, threads: int | None) -> Bytes:
        form = self.form()
        if self.rounding == "nearest":
            return kernels.encode(x, form, kernels.thread_count(threads))
        parts = [
            specification.encode(x[start : start + _SPEC_ROWS], form, self.seed)
            for start in range(0, len(x), _SPEC_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty((0, form.code_size), np.uint8)

    def _decode(self, codes: Bytes) -> Floats:
        return specification.decode(codes, self.form())

    def _score(self, q: Floats, codes: Bytes, threads: int | None) -> Floats:
        return kernels.score(q, codes, self.form(), kernels.thread_count(threads))

    def scan(
        self,
        q: Floats,
        codes: Bytes,
        k: int,
        rows: NDArray[np.int64] | None,
        threads: int | None,
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Scan with the native kernels."""
        return kernels.search(q, codes, self.form(), k, rows, kernels.thread_count(threads))

    def rescan(
        self, q: Floats, codes: Bytes, rows: NDArray[np.int64], threads: int | None
    ) -> Floats:
        """Score some rows with the native kernels."""
        return kernels.score_rows(q, codes, rows, self.form(), kernels.thread_count(threads))

    def _check_state(self) -> None:
        for key in ("mean", "step", "zero"):
            values = getattr(self, key)
            right = isinstance(values, np.ndarray) and values.dtype == np.float32
            if not right or values.shape != (self.dims,):
                raise InputError(f"learned state {key!r} must be float32 ({self.dims},)")
            if not np.all(np.abs(values) <= 4 * MAX_ABS):  # NaN is not
                raise InputError(f"learned state {key!r} must be finite, within +-4e15")
        if not is_usable_mean(np.asarray(self.mean)):
            raise InputError("learned state 'mean' must be 0 or longer than 2**-60")
        grid, step, zero = self._grid(), np.asarray(self.step), np.asarray(self.zero)
        if not np.all(step >= 0 if grid.packing == "b1" else step > 0):
            raise InputError("learned state 'step' must be positive")
        # Else an integer dot product could leave the range that its accumulator is proved for.
        if np.any(zero != np.rint(zero)) or zero.min() < grid.low or zero.max() > grid.high:
            raise InputError(f"learned 'zero' must be integers from {grid.low} to {grid.high}")
        # Copies of its own: a quantizer must outlive the file it was read from.
        self.mean, self.step, self.zero = np.array(self.mean), np.array(step), np.array(zero)
