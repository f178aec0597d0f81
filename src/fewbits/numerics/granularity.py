"""Granularity: how many values share one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.arrays import Floats, as_count, as_matrix
from fewbits.errors import InputError

_KINDS = ("tensor", "dimension", "vector", "group")


@dataclass(frozen=True)
class Granularity:
    """Which values share a scale: the whole tensor, a dimension, a vector, or a group of columns.

    Attributes:
        kind: "tensor", "dimension", "vector" or "group".
        group: columns per group where kind is "group", else 0.
    """

    kind: str
    group: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown kinds and sizes that do not belong to the kind."""
        if self.kind not in _KINDS:
            raise InputError(f"granularity must be one of {', '.join(_KINDS)}, got {self.kind!r}")
        least = 1 if self.kind == "group" else 0
        as_count(self.group, "group size", least=least)
        if self.kind != "group" and self.group:
            raise InputError(f"granularity {self.kind!r} takes no group size, got {self.group}")

    @classmethod
    def parse(cls, text: str | Granularity) -> Granularity:
        """Read "tensor", "dimension", "vector" or "group:32"; a Granularity passes through.

        Raises:
            InputError: any other text or type.
        """
        if isinstance(text, Granularity):
            return text
        if not isinstance(text, str):
            raise InputError(f"granularity must be text, got {type(text).__name__} {text!r}")
        kind, colon, size = text.partition(":")
        if not colon and kind != "group":
            return cls(kind)
        if kind != "group" or not (size.isascii() and size.isdigit()):
            raise InputError(
                f"granularity must be tensor, dimension, vector or group:<columns>, got {text!r}"
            )
        return cls("group", int(size))

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"group:{self.group}" if self.kind == "group" else self.kind

    def channels(self, d: int) -> int:
        """Return how many parameters serve one row of d columns.

        Raises:
            InputError: the group size does not divide d.
        """
        if self.kind == "dimension":
            return d
        if self.kind != "group":
            return 1
        if d % self.group:
            raise InputError(f"group size {self.group} must divide the {d} columns")
        return d // self.group


def extrema(x: ArrayLike, granularity: str | Granularity) -> tuple[Floats, Floats]:
    """Return (low, high), the least and greatest value of each channel, as float32.

    Shapes: (1,) per tensor, (d,) per dimension, (d/g,) per group of columns, (n, 1) per vector.
    For groups within each row, pass `x.reshape(-1, g)` with "vector" and reshape to (n, d/g).

    Raises:
        InputError: no rows, not finite, or the group size does not divide d.
    """
    rows, grain = as_matrix(x), Granularity.parse(granularity)
    if not len(rows):
        raise InputError(f"x must have at least one row to take extrema of, got {rows.shape}")
    if grain.kind == "vector":
        return rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    channels = grain.channels(rows.shape[1])
    low = rows.min(axis=0).reshape(channels, -1).min(axis=1)
    high = rows.max(axis=0).reshape(channels, -1).max(axis=1)
    return low, high


def expand(params: NDArray[Any], d: int, name: str = "params") -> NDArray[Any]:
    """Return `params` with its last axis of m entries repeated to d columns, d / m times each.

    Raises:
        InputError: m does not divide d.
    """
    params = np.atleast_1d(params)
    entries = params.shape[-1]
    if entries == d:
        return params
    if entries == 1:
        return np.broadcast_to(params, (*params.shape[:-1], d))
    if entries == 0 or d % entries:
        raise InputError(f"{name} has {entries} entries, which must divide the {d} columns")
    return np.repeat(params, d // entries, axis=-1)
