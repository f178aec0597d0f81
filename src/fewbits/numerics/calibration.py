"""Observers learn ranges from calibration data: streaming, mergeable, in constant memory.

An observer keeps per-channel statistics, never rows. `update` takes blocks of any size, `merge`
joins what several workers saw, `range` gives the (low, high) that `affine.qparams` turns into scale
and zero_point. A new observer is one subclass with a name; the factory and the registry follow.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import MAX_ABS, Floats, as_matrix
from fewbits.errors import InputError, NotFittedError
from fewbits.numerics.affine import code_range
from fewbits.numerics.granularity import Granularity, extrema

if TYPE_CHECKING:
    from typing_extensions import Self

_REGISTRY: dict[str, type[Observer]] = {}


@dataclasses.dataclass(eq=False)
class Observer(ABC):
    """Base of all observers: checks what comes in and goes out; subclasses hold the statistics.

    Attributes:
        granularity: "tensor", "dimension" or "group:<columns>" (a Granularity is taken too).
    """

    granularity: str | Granularity = "tensor"

    name: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:  # noqa: ANN401
        """Register the subclass under `name`; a subclass without a name is a shared base."""
        super().__init_subclass__(**kwargs)
        if not name:
            return
        if name in _REGISTRY:
            raise InputError(f"observer name {name!r} is taken by {_REGISTRY[name].__qualname__}")
        cls.name = name
        _REGISTRY[name] = cls

    def __post_init__(self) -> None:
        """Parse the granularity and start without rows."""
        self.grain = Granularity.parse(self.granularity)
        if self.grain.kind == "vector":
            raise InputError(
                "granularity 'vector' needs no observer: each vector brings its own range; "
                "see fewbits.numerics.extrema"
            )
        self.granularity = str(self.grain)
        self.rows = 0
        self.dims: int | None = None

    def update(self, x: ArrayLike) -> Self:
        """Take in rows of x, (n, d) floats; the first call fixes d. Returns self.

        Raises:
            InputError: not a finite matrix, another width than before, or a group size that does
                not divide d. The observer is then unchanged.
        """
        rows = as_matrix(x, dims=self.dims)
        channels = self.grain.channels(rows.shape[1])
        if not len(rows):
            return self
        if self.dims is None:
            self._start(channels)
            self.dims = rows.shape[1]
        self._update(rows)
        self.rows += len(rows)
        return self

    def merge(self, other: Observer) -> Self:
        """Take in everything `other` has seen, which stays as it is. Returns self.

        Raises:
            InputError: another kind of observer, other parameters or another width.
        """
        self._check_alike(other)
        if not other.rows:
            return self
        if self.dims is None:
            self._start(other.grain.channels(other.dims or 0))
            self.dims = other.dims
        self._merge(other)  # type: ignore[arg-type]  # _check_alike made sure
        self.rows += other.rows
        return self

    def range(self, *, bits: int, symmetric: bool) -> tuple[Floats, Floats]:
        """Return (low, high) for codes of `bits` bits: float32 of shape (1,), (d,) or (d/g,).

        Finite, low <= high; where symmetric, low = -high. Call it as often as you like.

        Raises:
            NotFittedError: no rows seen yet.
            InputError: bits out of range.
        """
        code_range(bits, symmetric)
        if not self.rows:
            raise NotFittedError(f"observer {self.name!r} has seen no rows; call update(x) first")
        low, high = self._range(bits, symmetric)
        if symmetric:
            high = np.maximum(np.abs(low), np.abs(high))
            low = -high
        limit = float(MAX_ABS)
        return (
            np.clip(low, -limit, limit).astype(np.float32),
            np.clip(high, -limit, limit).astype(np.float32),
        )

    def _check_alike(self, other: Observer) -> None:
        if type(other) is not type(self):
            raise InputError(
                f"cannot merge observer {self.name!r} with {type(other).__name__}; "
                "merge observers of one kind"
            )
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                raise InputError(f"observers differ in {field.name}: {mine!r} and {theirs!r}")
        if None not in (self.dims, other.dims) and self.dims != other.dims:
            raise InputError(f"observers saw {self.dims} and {other.dims} columns; merge one width")

    @abstractmethod
    def _start(self, channels: int) -> None:
        """Make the empty statistics of that many channels."""

    @abstractmethod
    def _update(self, rows: Floats) -> None:
        """Take in at least one gated row; `self.rows` still counts the rows before them."""

    @abstractmethod
    def _merge(self, other: Self) -> None:
        """Take in the statistics of an observer alike, which has seen rows."""

    @abstractmethod
    def _range(self, bits: int, symmetric: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return per-channel (low, high); where symmetric, the larger magnitude is used."""


@dataclasses.dataclass(eq=False)
class MinMax(Observer, name="minmax"):
    """The extremes of all rows; nothing is ever clipped, one outlier stretches every step."""

    def _start(self, channels: int) -> None:
        self.low = np.full(channels, np.inf, dtype=np.float32)
        self.high = np.full(channels, -np.inf, dtype=np.float32)

    def _update(self, rows: Floats) -> None:
        low, high = extrema(rows, self.grain)
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)

    def _merge(self, other: MinMax) -> None:
        self.low, self.high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)

    def _range(self, bits: int, symmetric: bool) -> tuple[Floats, Floats]:
        return self.low, self.high


@dataclasses.dataclass(eq=False)
class MovingAverage(Observer, name="moving_average"):
    """The moving average of each block's extremes: m <- m + momentum * (m_block - m).

    By nature it depends on how rows are cut into blocks and on their order; use one block per
    batch of the real workload. The merge of two observers is the mean of their averages, weighted
    by the rows each has seen.

    Attributes:
        momentum: weight of the newest block, 0 < momentum <= 1.
    """

    momentum: float = 0.01

    def __post_init__(self) -> None:
        """Check the momentum."""
        super().__post_init__()
        if not 0 < self.momentum <= 1:
            raise InputError(f"momentum must be above 0 and at most 1, got {self.momentum!r}")

    def _start(self, channels: int) -> None:
        self.low = np.zeros(channels, dtype=np.float64)
        self.high = np.zeros(channels, dtype=np.float64)

    def _update(self, rows: Floats) -> None:
        low, high = extrema(rows, self.grain)
        weight = self.momentum if self.rows else 1.0
        self.low += weight * (low - self.low)
        self.high += weight * (high - self.high)

    def _merge(self, other: MovingAverage) -> None:
        weight = other.rows / (self.rows + other.rows)
        self.low = (1 - weight) * self.low + weight * other.low
        self.high = (1 - weight) * self.high + weight * other.high

    def _range(self, bits: int, symmetric: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.low, self.high


def observer_names() -> list[str]:
    """Return the names that `observer` knows, sorted."""
    return sorted(_REGISTRY)


def observer(
    name: str,
    granularity: str | Granularity = "tensor",
    **params: Any,  # noqa: ANN401 - whatever the observer declares
) -> Observer:
    """Return a new observer by name.

    Args:
        name: one of `observer_names()`.
        granularity: "tensor", "dimension" or "group:<columns>".
        **params: the observer's own fields, such as percentile=99.9.

    Raises:
        InputError: unknown name or parameter, or a parameter out of range.
    """
    if name not in _REGISTRY:
        raise InputError(f"observer must be one of {', '.join(observer_names())}, got {name!r}")
    kind = _REGISTRY[name]
    known = [field.name for field in dataclasses.fields(kind)]
    for key in params:
        if key not in known:
            raise InputError(f"observer {name!r} takes {', '.join(known)}, got {key!r}")
    return kind(granularity=granularity, **params)
