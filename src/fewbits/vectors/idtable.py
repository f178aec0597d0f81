"""Where an id lives: id to row number, in about 16 bytes per row.

Most ids lie in two sorted arrays; recent ones in a dict that is merged in when it has grown.
Strings are looked up by their 64-bit hash; two strings of one hash are told apart by the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fewbits.vectors.ids import IdArray, Rows

_MIN_MERGE = 4096

Key = TypeVar("Key", int, str)

ABSENT = -1


class IdTable:
    """Maps the ids of live rows to row numbers; every id at most once.

    Args:
        id_at: returns the id of a row number, to verify string matches.
    """

    def __init__(self, id_at: Callable[[int], object]) -> None:
        """Start empty."""
        self._id_at = id_at
        # Keys ascending and their rows, replaced together: a search may read while another adds.
        self._sorted = (np.empty(0, np.int64), np.empty(0, np.int64))
        self._recent: dict[int, int] = {}
        self._collided: dict[str, int] = {}

    def add(self, ids: IdArray, rows: Rows) -> None:
        """Map ids, none of which is present, to rows."""
        keys = _keys(ids)
        if ids.dtype != np.int64:
            clash = self._clashes(keys)
            self._collided.update(zip(ids[clash], rows[clash].tolist(), strict=True))
            keys, rows = keys[~clash], rows[~clash]
        if len(keys) >= _MIN_MERGE:
            self._absorb(keys, rows)
            return
        self._recent.update(zip(keys.tolist(), rows.tolist(), strict=True))
        if len(self._recent) > max(_MIN_MERGE, len(self._sorted[0]) // 8):
            self._absorb(np.empty(0, np.int64), np.empty(0, np.int64))

    def find(self, ids: IdArray) -> Rows:
        """Return row numbers int64 (len(ids),), -1 where an id is absent."""
        found = self._lookup(_keys(ids))
        if ids.dtype == np.int64:
            return found
        for i, value in enumerate(ids):
            if value in self._collided:
                found[i] = self._collided[value]
            elif found[i] != ABSENT and self._id_at(int(found[i])) != value:
                found[i] = ABSENT
        return found

    def remove(self, ids: IdArray) -> None:
        """Forget ids that are present."""
        keys = _keys(ids)
        known, rows = self._sorted
        places = np.searchsorted(known, keys)
        for value, key, place in zip(ids, keys.tolist(), places.tolist(), strict=True):
            if value in self._collided:
                del self._collided[value]
            elif self._recent.pop(key, None) is None:
                rows[place] = ABSENT

    # The same for one id, without the cost of arrays.

    def find_one(self, value: int | str) -> int:
        """Return the row number of an id, -1 where it is absent."""
        if type(value) is str:
            row = self._collided.get(value, ABSENT) if self._collided else ABSENT
            if row == ABSENT:
                row = self._lookup_one(hash(value))
                if row != ABSENT and self._id_at(row) != value:
                    row = ABSENT
            return row
        return self._lookup_one(int(value))

    def add_one(self, value: int | str, row: int) -> None:
        """Map an id that is absent to a row."""
        key = hash(value) if type(value) is str else int(value)
        if type(value) is str and self._lookup_one(key) != ABSENT:
            self._collided[value] = row
            return
        self._recent[key] = row
        if len(self._recent) > max(_MIN_MERGE, len(self._sorted[0]) // 8):
            self._absorb(np.empty(0, np.int64), np.empty(0, np.int64))

    def remove_one(self, value: int | str) -> None:
        """Forget an id that is present."""
        if type(value) is str and value in self._collided:
            del self._collided[value]
            return
        key = hash(value) if type(value) is str else int(value)
        if self._recent.pop(key, None) is None:
            known, rows = self._sorted
            rows[known.searchsorted(key)] = ABSENT

    def _lookup_one(self, key: int) -> int:
        row = self._recent.get(key)  # before the sorted ones, as in `_lookup`
        if row is not None:
            return row
        known, rows = self._sorted
        place = int(known.searchsorted(key))
        if place < len(known) and known[place] == key:
            return int(rows[place])
        return ABSENT

    def renumbered(self, first: int, places: Rows, id_at: Callable[[int], object]) -> IdTable:
        """Return a table of the same ids in which row first + i has become row places[i].

        Args:
            first: rows below it keep their numbers.
            places: int64, for every row from `first` on; those of no id do not matter.
            id_at: returns the id of a new row number.
        """

        def moved(rows: Rows) -> Rows:
            out = rows.copy()
            late = rows >= first
            out[late] = places[rows[late] - first]
            return out

        fresh = IdTable(id_at)
        fresh._sorted = (self._sorted[0], moved(self._sorted[1]))
        fresh._recent = _with_rows(self._recent, moved)
        fresh._collided = _with_rows(self._collided, moved)
        return fresh

    def _lookup(self, keys: Rows) -> Rows:
        found = np.full(len(keys), ABSENT, dtype=np.int64)
        recent = self._recent  # before the sorted ones: those that move meanwhile are seen twice
        known, rows = self._sorted
        if len(known):
            places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            there = known[places] == keys
            found[there] = rows[places[there]]
        if recent:
            for i, key in enumerate(keys.tolist()):
                found[i] = recent.get(key, found[i])
        return found

    def _clashes(self, keys: Rows) -> NDArray[np.bool_]:
        """Mark keys that are taken, or stand a second time among `keys`."""
        clash = self._lookup(keys) != ABSENT
        first = np.zeros(len(keys), dtype=np.bool_)
        first[np.unique(keys, return_index=True)[1]] = True
        return np.asarray(clash | ~first)

    def _absorb(self, keys: Rows, rows: Rows) -> None:
        """Merge the recent ones and (keys, rows) into the sorted arrays."""
        known, known_rows = self._sorted
        live = known_rows != ABSENT
        count = len(self._recent)
        recent_keys = np.fromiter(self._recent.keys(), dtype=np.int64, count=count)
        recent_rows = np.fromiter(self._recent.values(), dtype=np.int64, count=count)
        keys = np.concatenate([known[live], recent_keys, keys])
        rows = np.concatenate([known_rows[live], recent_rows, rows])
        order = np.argsort(keys, kind="stable")
        self._sorted = (keys[order], rows[order])
        self._recent = {}


def _keys(ids: IdArray) -> Rows:
    if ids.dtype == np.int64:
        return ids
    return np.fromiter((hash(value) for value in ids), dtype=np.int64, count=len(ids))


def _with_rows(known: dict[Key, int], moved: Callable[[Rows], Rows]) -> dict[Key, int]:
    rows = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    return dict(zip(known, moved(rows).tolist(), strict=True))
