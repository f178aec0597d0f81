"""What an engine is to this benchmark, and what a row of an engine table holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from math import log2, sqrt
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.integer]
Point: TypeAlias = dict[str, int | float]


@dataclass(frozen=True)
class Setting:
    """What an engine is built for. `thorough` lets training see every row, whatever it costs."""

    n: int
    d: int
    threads: int
    thorough: bool = False

    @property
    def lists(self) -> int:
        """The power of two next to 4 sqrt(n): a usual number of clusters for n rows."""
        return int(2 ** round(log2(4 * sqrt(self.n))))


class Engine:
    """One index under test. Vectors are float32 (n, d) of unit length; scores are never compared.

    `fit` and `add` are timed apart; an engine that trains while adding does all in `add`.
    """

    def fit(self, x: Floats) -> None:
        """Learn from x; nothing to learn by default."""

    def add(self, x: Floats) -> None:
        """Encode and take all rows of x."""
        raise NotImplementedError

    def use(self, point: Point) -> None:
        """Choose the operating point of the searches that follow."""

    def search(self, q: Floats, k: int) -> Ids:
        """Return row numbers (nq, k), best first; -1 where fewer were found."""
        raise NotImplementedError

    def total_bytes(self) -> float:
        """Return all bytes needed to answer: codes, second tier, graph, tables, ids if stored."""
        raise NotImplementedError

    def code_bytes(self) -> float | None:
        """Return bytes that one more vector costs; None where only the total is known."""
        return None

    def scanned_bytes(self, point: Point) -> float | None:
        """Return bytes of codes that one query reads, divided by n; None where it is unknown."""
        del point
        return None


Kind: TypeAlias = Literal["flat", "lists", "graph"]


@dataclass(frozen=True)
class Entry:
    """One engine of the comparison: a row of a table, made into an `Engine` when it is due.

    `package` is the distribution whose version is reported. `points` are the operating points that
    are measured on one built index. `slow` engines run only where they are asked for.
    """

    name: str
    package: str
    kind: Kind
    make: Callable[[Setting], Engine]
    points: tuple[Point, ...] = ({},)
    slow: bool = False


PROBED = (2, 4, 8, 16, 32, 64, 128, 256, 512)  # clusters looked into
BEAMS = (16, 32, 64, 128, 256, 512)  # candidates that a walk through a graph keeps
OVERSAMPLED = (4, 10)  # candidates scored again, per neighbour wanted


def sweep(key: str, values: Iterable[int], **others: Iterable[int]) -> tuple[Point, ...]:
    """Return one operating point per combination of the values of some settings."""
    names = [key, *others]
    return tuple(
        dict(zip(names, chosen, strict=True)) for chosen in product(values, *others.values())
    )


def folder_bytes(folder: str | Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
