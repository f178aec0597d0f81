"""All rows of an index: segments in order, the id table, tombstones, filters."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fewbits.arrays import Bytes
from fewbits.errors import DuplicateIdError, InputError, UnknownIdError
from fewbits.vectors.ids import IdArray, Rows, as_ids, new_column
from fewbits.vectors.idtable import ABSENT, IdTable
from fewbits.vectors.segment import Segment

_SEAL_ROWS = 1 << 18  # a growing segment is closed here, so that growth never copies more


class Segments:
    """Rows in the order in which they are stored, numbered from 0 across segments."""

    def __init__(self, segments: Sequence[Segment] = (), next_id: int = 0) -> None:
        """Take over segments whose starts follow each other."""
        self.list = list(segments)
        self.next_id = next_id
        self._table: IdTable | None = None
        self._lock = threading.RLock()  # changes, and the table that lookups build

    def __len__(self) -> int:
        """Rows that are not deleted."""
        return sum(segment.live for segment in self.list)

    def __iter__(self) -> Iterator[Segment]:
        """Walk segments in row order."""
        return iter(list(self.list))

    @property
    def rows(self) -> int:
        """Rows, deleted ones included."""
        return self.list[-1].start + len(self.list[-1]) if self.list else 0

    @property
    def id_kind(self) -> str | None:
        """Either "int" or "str"; None before the first row."""
        return self.list[0].ids.kind if self.list else None

    # Adding.

    def new_ids(self, n: int, skip: int = 0) -> IdArray:
        """Return n automatic ids: one more than the largest so far, and on, after `skip` others."""
        if self.id_kind == "str":
            raise InputError("ids must be given: this index has string ids")
        first, end = self.next_id + skip, self.next_id + skip + n
        if end > np.iinfo(np.int64).max:
            raise InputError(f"ids must be given: those from {self.next_id} on do not fit in int64")
        return np.arange(first, end, dtype=np.int64)

    def check_new(self, ids: IdArray) -> None:
        """Refuse ids of the other kind, or present already.

        Raises:
            InputError: strings where the index has integers, or the reverse.
            DuplicateIdError: an id is in the index.
        """
        present = np.flatnonzero(self.find(ids) != ABSENT)
        if len(present):
            raise DuplicateIdError(
                f"id {ids.tolist()[present[0]]!r} is in the index already "
                f"({len(present)} of the ids are); delete it first, or pass replace=True"
            )

    def append(self, codes: Bytes, rescore: Bytes | None, ids: IdArray) -> None:
        """Add rows to segments that nobody else sees yet."""
        segment = self._growing(codes, rescore, ids)
        segment.ids.append(ids)
        segment.append(codes, rescore)

    def attach(self, staged: Segments, ids: IdArray, old: IdArray) -> None:
        """Take over the rows of `staged`, which have these ids, in place of those of ids `old`.

        A search that runs meanwhile finds the state of before or of after.

        Raises:
            UnknownIdError: one of `old` is no longer there; nothing changed.
        """
        with self._lock:
            replaced = self.require(old)
            first = self.rows
            self._publish(staged, ids, np.sort(replaced))
            if ids.dtype == np.int64 and len(ids):
                self.next_id = max(self.next_id, int(ids.max()) + 1)
            if self._table is not None:
                self._table.remove(old)
                self._table.add(ids, np.arange(first, first + len(ids)))

    def _publish(self, staged: Segments, ids: IdArray, replaced: Rows) -> None:
        """Show the new rows and hide the replaced ones in one assignment."""
        changed = {id(segment): local for segment, local in self._split(replaced)}
        fresh = list(self.list)
        for i, segment in enumerate(self.list):
            if id(segment) in changed:
                fresh[i] = segment.fork()
                fresh[i].delete(changed[id(segment)])
        last = fresh[-1] if fresh else None
        if last is not None and last.open and len(last) + staged.rows <= _SEAL_ROWS:
            fresh[-1] = last.fork()
            for segment in staged.list:  # one at most: a second begins where a segment is full
                fresh[-1].ids.append(ids)
                fresh[-1].append(segment.codes, segment.rescore)
        else:
            for segment in staged.list:
                segment.start += self.rows
            fresh += staged.list
        self.list = fresh

    def rearranged(self, first: int, merged: Segment, moved: Rows) -> Segments:
        """Return a state in which one segment stands for those from number `first` on.

        This one stays as it is, for searches that still run on it.

        Args:
            first: number of the first segment to leave out.
            merged: what takes their place.
            moved: int64, the local row in `merged` of each row of those segments; -1: dropped.
        """
        fresh = Segments([*self.list[:first], *([merged] if len(merged) else [])], self.next_id)
        start = merged.start
        with self._lock:
            if self._table is not None:
                places = np.where(moved < 0, ABSENT, moved + start)
                fresh._table = self._table.renumbered(start, places, fresh._id_at)
        return fresh

    # Looking up.

    def find(self, ids: IdArray) -> Rows:
        """Return global rows int64 (len(ids),), -1 where an id is absent."""
        if self.id_kind is None or len(ids) == 0:
            return np.full(len(ids), ABSENT, dtype=np.int64)
        kind = "int" if ids.dtype == np.int64 else "str"
        if kind != self.id_kind:
            raise InputError(f"ids must be {self.id_kind} as in this index, got {kind}")
        table = self._table
        if table is None:
            with self._lock:
                table = self._table = self._table or self._build_table()
        return table.find(ids)

    def require(self, ids: IdArray) -> Rows:
        """Return the global rows of ids that must all be present.

        Raises:
            UnknownIdError: naming the first that is not.
        """
        rows = self.find(ids)
        absent = np.flatnonzero(rows == ABSENT)
        if len(absent):
            raise UnknownIdError(
                f"id {ids.tolist()[absent[0]]!r} is not in the index "
                f"({len(absent)} of {len(ids)} are not)"
            )
        return rows

    def ids_of(self, rows: Rows) -> IdArray:
        """Return the ids of global rows, of any shape."""
        if len(self.list) == 1:
            return self.list[0].ids.take(rows)
        flat = rows.ravel()
        out = np.empty(flat.shape, dtype=np.int64 if self.id_kind != "str" else object)
        for segment in self.list:
            inside = (flat >= segment.start) & (flat < segment.start + len(segment))
            if inside.any():
                out[inside] = segment.ids.take(flat[inside] - segment.start)
        return out.reshape(rows.shape)

    def live_ids(self) -> IdArray:
        """Return the ids of all live rows, in row order."""
        parts = [segment.live_ids() for segment in self.list]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    # Deleting.

    def delete(self, ids: IdArray) -> None:
        """Mark the rows of present ids as deleted.

        Raises:
            UnknownIdError: an id is absent; nothing was deleted.
        """
        with self._lock:
            self._mark_deleted(ids, self.require(ids))

    def _mark_deleted(self, ids: IdArray, rows: Rows) -> None:
        if self._table is not None:
            self._table.remove(ids)
        for segment, local in self._split(np.sort(rows)):
            segment.delete(local)

    # Filtering.

    def candidates(
        self, allowed: ArrayLike | set[object] | None
    ) -> list[tuple[Segment, Rows | None]]:
        """Return segments with the local rows to look at, ascending; None for every row.

        Args:
            allowed: None; ids (absent ones are ignored); or booleans, one per live row in order.
        """
        if allowed is None:
            every = [(segment, segment.live_rows()) for segment in self]
            return [(segment, rows) for segment, rows in every if segment.live]
        rows = self._allowed_rows(allowed)
        found = [(segment, segment.live_of(local)) for segment, local in self._split(rows)]
        return [(segment, local) for segment, local in found if len(local)]

    def _allowed_rows(self, allowed: ArrayLike | set[object]) -> Rows:
        given = allowed if isinstance(allowed, np.ndarray) else None
        if given is None and isinstance(allowed, (list, tuple)) and len(allowed):
            given = np.asarray(allowed) if isinstance(allowed[0], (bool, np.bool_)) else None
        if given is not None and given.dtype == np.bool_:
            if given.shape != (len(self),):
                raise InputError(
                    f"a boolean filter must have one value per row, shape ({len(self)},), "
                    f"got {given.shape}"
                )
            return self._live_global()[given]
        rows = np.unique(self.find(as_ids(allowed, "filter")))
        return np.asarray(rows[rows != ABSENT])

    def _live_global(self) -> Rows:
        parts = []
        for segment in self.list:
            rows = segment.live_rows()
            local = np.arange(len(segment)) if rows is None else rows
            parts.append(local + segment.start)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _split(self, rows: Rows) -> Iterator[tuple[Segment, Rows]]:
        """Cut ascending global rows into local rows per segment."""
        for segment in self.list:
            first, last = np.searchsorted(rows, [segment.start, segment.start + len(segment)])
            if last > first:
                yield segment, rows[first:last] - segment.start

    def _growing(self, codes: Bytes, rescore: Bytes | None, ids: IdArray) -> Segment:
        last = self.list[-1] if self.list else None
        if last is None or not last.open or len(last) >= _SEAL_ROWS:
            none = None if rescore is None else rescore[:0]
            last = Segment(self.rows, codes[:0], none, new_column(ids))
            self.list.append(last)
        return last

    def _build_table(self) -> IdTable:
        table = IdTable(self._id_at)
        for segment in self.list:
            rows = segment.live_rows()
            local = np.arange(len(segment)) if rows is None else rows
            table.add(segment.ids.take(local), local + segment.start)
        return table

    def _id_at(self, row: int) -> object:
        return self.ids_of(np.array([row]))[0]
