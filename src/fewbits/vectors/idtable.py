"""Where an id lives: id to row number, in about 16 bytes per row.

Most ids lie in two sorted arrays; recent ones in a dict that is merged in when it has grown.
Strings are looked up by their 64-bit hash; two strings of one hash are told apart by the text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fewbits.vectors.ids import IdArray, Rows

_MIN_MERGE = 4096

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
