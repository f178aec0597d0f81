"""One row added or deleted at a time: what `Ingest` and `Segments` do, without arrays of one.

Only what is usual is done here. Whatever is refused goes the general way, which does the same more
slowly and finds the words for what is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fewbits.arrays import as_matrix
from fewbits.vectors import segments as rules
from fewbits.vectors.drift import Mean, Watched
from fewbits.vectors.ids import IdArray
from fewbits.vectors.idtable import ABSENT, IdTable
from fewbits.vectors.ingest import seen
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments
from fewbits.vectors.state import State
from fewbits.vectors.tiers import Coded

_LIMIT = 1 << 63
_SAMPLED = 64  # one row in so many shows how much is clipped
_NOTHING = Watched()


def plain_id(value: object) -> int | str | None:
    """Return an id that needs no conversion, None for any other value."""
    if type(value) is int:
        return value if -_LIMIT <= value < _LIMIT else None
    return value if type(value) is str and value.isascii() else None


def add_row(state: State, x: Any, ids: Any, threads: int | None) -> Watched | None:  # noqa: ANN401
    """Add one row under a new id and return what was seen of it; None if nothing was done.

    Args:
        state: of the index, which no one else changes meanwhile.
        x: taken where it is an array float32 (1, d).
        ids: taken where it is a list or tuple of one integer or string.
        threads: for encoding.

    Raises:
        InputError: x is not finite.
    """
    codes = state.tiers.codes
    if type(x) is not np.ndarray or x.shape != (1, codes.dims) or x.dtype != np.float32:
        return None
    value = plain_id(ids[0]) if type(ids) in (list, tuple) and len(ids) == 1 else None
    if value is None or not state.tiers.fitted:
        return None
    segments = state.segments
    table, last = _table_for(segments, value), _growing(segments)
    if table is None or last is None or table.find_one(value) != ABSENT:
        return None
    block = as_matrix(x)
    coded = state.tiers.encode(block, threads)
    _publish(segments, table, last, coded, value)
    if len(last) % _SAMPLED == 0:
        return seen(codes, block, coded)
    return _NOTHING if coded.lost is None else Watched(lost=Mean(float(coded.lost[0]), 1))


def delete_row(segments: Segments, value: int | str) -> bool:
    """Mark the row of an id as deleted; False if it is not found this way."""
    with segments._lock:
        table = _table_for(segments, value)
        row = ABSENT if table is None else table.find_one(value)
        if table is None or row == ABSENT:
            return False
        table.remove_one(value)
        for segment in reversed(segments.list):
            if row >= segment.start:
                _mark(segment, row - segment.start)
                break
    return True


def _table_for(segments: Segments, value: int | str) -> IdTable | None:
    """Return the table of ids of this kind, None where there are others or none yet."""
    kind = "int" if type(value) is int else "str"
    return segments._table if segments.id_kind == kind else None


def _growing(segments: Segments) -> Segment | None:
    """Return the segment that takes one more row, None where a new one has to be begun."""
    last = segments.list[-1]
    return last if last.open and len(last) < rules._SEAL_ROWS else None


def _publish(
    segments: Segments, table: IdTable, last: Segment, coded: Coded, value: int | str
) -> None:
    """Show the row in one assignment, as `Segments.attach` does."""
    ids: IdArray = np.array([value], dtype=np.int64 if type(value) is int else object)
    with segments._lock:
        longer = last.fork()
        longer.ids.append(ids)
        longer.append(coded.codes, coded.again)
        segments.list = [*segments.list[:-1], longer]
        if type(value) is int:
            segments.next_id = max(segments.next_id, value + 1)
        table.add_one(value, last.start + len(last))


def _mark(segment: Segment, row: int) -> None:
    """Mark one live row as deleted, in marks of its own: a search may be reading the old ones."""
    alive = segment._marks(len(segment)).copy()
    alive[row] = 0
    segment._alive = alive
    segment.deleted += 1
