"""A run of rows: codes, second-tier codes, ids and tombstones side by side."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes
from fewbits.vectors.growing import Growing
from fewbits.vectors.ids import IdArray, IdColumn, Rows

if TYPE_CHECKING:
    from fewbits.vectors.store import Entry


class Segment:
    """Rows `start` to `start + len` of an index. Deleting marks rows; nothing moves.

    A segment that was saved is never appended to: its file is immutable.

    Attributes:
        start: global number of the first row.
        ids: the ids of all rows, deleted ones included.
        entry: the file this segment was saved to, None before.
        deleted: rows marked as deleted.
    """

    def __init__(self, start: int, codes: Bytes, rescore: Bytes | None, ids: IdColumn) -> None:
        """Start from rows; zero of them for a new segment."""
        self.start = start
        self.ids = ids
        self.entry: Entry | None = None
        self.deleted = 0
        self._codes = Growing(codes)
        self._rescore = None if rescore is None else Growing(rescore)
        self._dead: NDArray[np.bool_] | None = None
        self._live_rows: tuple[tuple[int, int], Rows] | None = None

    def __len__(self) -> int:
        """Rows, deleted ones included."""
        return len(self._codes)

    @property
    def live(self) -> int:
        """Rows that are not deleted."""
        return len(self) - self.deleted

    @property
    def codes(self) -> Bytes:
        """Code rows uint8 (n, code_size)."""
        return self._codes.view

    @property
    def rescore(self) -> Bytes | None:
        """Code rows of the second tier, None without one."""
        return None if self._rescore is None else self._rescore.view

    def append(self, codes: Bytes, rescore: Bytes | None) -> None:
        """Add code rows; their ids are added to `ids` by the caller."""
        if self._rescore is not None and rescore is not None:
            self._rescore.append(rescore)
        self._codes.append(codes)

    def fork(self) -> Segment:
        """Return a segment of the same rows that can be changed while this one is searched.

        Memory is shared; only one of the two may be appended to from then on.
        """
        twin = copy.copy(self)
        twin.ids = self.ids.fork()
        twin._codes = copy.copy(self._codes)
        twin._rescore = copy.copy(self._rescore)
        return twin

    def delete(self, rows: Rows) -> None:
        """Mark local rows as deleted."""
        dead = self._padded_dead(len(self))
        dead[rows] = True
        self._dead = dead
        self.deleted = int(np.count_nonzero(dead))

    def live_rows(self) -> Rows | None:
        """Return the local rows that are not deleted, ascending; None if that is all of them."""
        if self.deleted == 0:
            return None
        # Other threads may append or delete meanwhile: what is kept says which state it is of.
        state = (len(self), self.deleted)
        kept = self._live_rows
        if kept is None or kept[0] != state:
            kept = (state, np.flatnonzero(~self._padded_dead(state[0])))
            self._live_rows = kept
        return kept[1]

    def dead_rows(self) -> NDArray[np.uint32]:
        """Return the local rows that are deleted, ascending."""
        if self._dead is None:
            return np.empty(0, np.uint32)
        return np.flatnonzero(self._dead).astype(np.uint32)

    def live_of(self, rows: Rows) -> Rows:
        """Return those of the local rows that are not deleted."""
        return rows if self._dead is None else rows[~self._padded_dead(len(self))[rows]]

    def live_ids(self) -> IdArray:
        """Return the ids of the rows that are not deleted, in row order."""
        rows = self.live_rows()
        return self.ids.take(slice(None) if rows is None else rows)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what a segment file holds."""
        found: dict[str, NDArray[Any]] = {"codes": self.codes, **self.ids.tensors()}
        if self.rescore is not None:
            found["rescore"] = self.rescore
        return found

    def _padded_dead(self, n: int) -> NDArray[np.bool_]:
        """Return the marks of the first n rows; rows added since the last delete have none."""
        dead = np.zeros(n, dtype=np.bool_)
        marks = self._dead
        if marks is not None:
            dead[: len(marks)] = marks[:n]
        return dead
