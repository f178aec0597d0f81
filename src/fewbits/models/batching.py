"""Batches without padding: sequences laid end to end, those of equal length side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.models.tokenizer import TokenIds


@dataclass(frozen=True)
class Run:
    """Neighbouring sequences of one length: tokens `start` to `start + count * length`."""

    start: int
    count: int
    length: int

    @property
    def tokens(self) -> slice:
        """The run's tokens within its batch."""
        return slice(self.start, self.start + self.count * self.length)


@dataclass(frozen=True)
class Batch:
    """Sequences packed end to end.

    Attributes:
        rows: position of each sequence in the caller's list.
        ids: all token ids, in the order of `rows`.
        runs: the equal-length runs that `ids` falls into, in order.
    """

    rows: NDArray[np.intp]
    ids: TokenIds
    runs: tuple[Run, ...]


def batches(sequences: Sequence[TokenIds], budget: int) -> Iterator[Batch]:
    """Yield all sequences, longest first, in batches of at most `budget` tokens.

    A sequence longer than the budget comes alone. Longest first: memory peaks at once, not after
    an hour.
    """
    if len(sequences) == 1:  # one text at a time is what a search box sends
        ids = sequences[0]
        yield Batch(np.zeros(1, dtype=np.intp), ids, (Run(0, 1, len(ids)),))
        return
    lengths = np.array([len(ids) for ids in sequences], dtype=np.intp)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        totals = np.cumsum(lengths[order[start : start + budget]])
        stop = start + max(1, int(np.searchsorted(totals, budget, side="right")))
        rows = order[start:stop]
        ids = np.concatenate([sequences[row] for row in rows])
        yield Batch(rows, ids, _runs(lengths[rows]))
        start = stop


def _runs(lengths: NDArray[np.intp]) -> tuple[Run, ...]:
    values, firsts, counts = np.unique(-lengths, return_index=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(lengths)])[firsts]
    return tuple(
        Run(int(start), int(count), -int(value))
        for value, start, count in zip(values, starts, counts, strict=True)
    )
