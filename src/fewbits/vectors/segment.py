"""A run of rows: codes, second-tier codes, ids and tombstones side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes
from fewbits.vectors.growing import Growing, shallow
from fewbits.vectors.ids import IdArray, IdColumn, Rows

if TYPE_CHECKING:
    from fewbits.vectors.store import Entry


class _Live(NamedTuple):
    """The rows that are not deleted, of a state of so many (rows, deleted ones)."""

    state: tuple[int, int]
    rows: Rows
    marks: Bytes


class Segment:
    """Rows `start` to `start + len` of an index. Deleting marks rows; nothing moves.

    A segment that was saved is never appended to, its file is immutable; nor is a sorted one.

    Attributes:
        start: global number of the first row.
        ids: the ids of all rows, deleted ones included.
        lists: int64 (lists + 1,), where each list begins if rows are sorted by list, else None.
        entry: the file this segment was saved to, None before.
        deleted: rows marked as deleted.
    """

    def __init__(
        self,
        start: int,
        codes: Bytes,
        rescore: Bytes | None,
        ids: IdColumn,
        lists: Rows | None = None,
    ) -> None:
        """Start from rows; zero of them for a new segment."""
        self.start = start
        self.ids = ids
        self.lists = lists
        self.entry: Entry | None = None
        self.deleted = 0
        self._codes = Growing(codes)
        self._rescore = None if rescore is None else Growing(rescore)
        self._alive: Bytes | None = None  # 0 where deleted; never written to, but replaced
        self._live: _Live | None = None

    def __len__(self) -> int:
        """Rows, deleted ones included."""
        return len(self._codes)

    @property
    def open(self) -> bool:
        """Whether rows may be appended."""
        return self.entry is None and self.lists is None

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
        twin = shallow(self)
        twin.ids = self.ids.fork()
        twin._codes = shallow(self._codes)
        twin._rescore = None if self._rescore is None else shallow(self._rescore)
        return twin

    def delete(self, rows: Rows) -> None:
        """Mark local rows as deleted."""
        alive = self._marks(len(self)).copy()
        alive[rows] = 0
        self._alive = alive
        self.deleted = len(alive) - int(np.count_nonzero(alive))

    def live_rows(self) -> Rows | None:
        """Return the local rows that are not deleted, ascending; None if that is all of them."""
        if self.deleted == 0:
            return None
        # Other threads may append or delete meanwhile: what is kept says which state it is of.
        state = (len(self), self.deleted)
        kept = self._live
        if kept is None or kept.state != state:
            marks = self._marks(state[0])
            kept = self._live = _Live(state, np.flatnonzero(marks), marks)
        return kept.rows

    def dead_rows(self) -> NDArray[np.uint32]:
        """Return the local rows that are deleted, ascending."""
        if self._alive is None:
            return np.empty(0, np.uint32)
        return np.flatnonzero(self._alive == 0).astype(np.uint32)

    def live_of(self, rows: Rows) -> Rows:
        """Return those of the local rows that are not deleted."""
        return rows if self._alive is None else rows[self._marks(len(self))[rows] != 0]

    def marks_of(self, rows: Rows | None) -> Bytes | None:
        """Return uint8 (n,), 1 for these local rows and 0 for others; None for None, all rows."""
        if rows is None:
            return None
        kept = self._live
        if kept is not None and kept.rows is rows:
            return kept.marks
        marks = np.zeros(len(self), dtype=np.uint8)
        marks[rows] = 1
        return marks

    def live_ids(self) -> IdArray:
        """Return the ids of the rows that are not deleted, in row order."""
        rows = self.live_rows()
        return self.ids.take(slice(None) if rows is None else rows)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what a segment file holds."""
        found: dict[str, NDArray[Any]] = {"codes": self.codes, **self.ids.tensors()}
        if self.rescore is not None:
            found["rescore"] = self.rescore
        if self.lists is not None:
            found["lists"] = self.lists
        return found

    def _marks(self, n: int) -> Bytes:
        """Return 1 for live rows among the first n; rows added since the last delete are live."""
        known = self._alive
        if known is not None and len(known) >= n:
            return known[:n]
        marks = np.ones(n, dtype=np.uint8)
        if known is not None:
            marks[: len(known)] = known
        return marks
