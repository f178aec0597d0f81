"""Turns rows as they were added into sorted segments, and keeps these few.

New rows go to an ordinary segment, which is scanned whole. When enough have come they are sorted by
their list, together with those older sorted segments that are not much larger. A row is thus moved
a number of times that grows with the logarithm of all rows, and so does the number of segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fewbits.arrays import Bytes
from fewbits.vectors.ids import Rows
from fewbits.vectors.lists import Clustered, as_clustered, sort_by_list
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments

TAIL_ROWS = 1 << 15  # unsorted rows that a search scans without noticing
_PER_LIST = 8  # shorter lists cost more to visit than they save
_GROWTH = 2  # an older segment joins unless it has more than this many times the rows
_BLOCK = 1 << 16  # rows copied at a time


def arrange(segments: Segments, quantizer: object, *, force: bool = False) -> Segments:
    """Return the same rows with the newest sorted by list, or `segments` if nothing is to do.

    `segments` stays as it is, for searches that still run on it; of what is sorted anew, deleted
    rows are dropped. Rows change their numbers and the order of iteration becomes that of the
    lists. No other change may run meanwhile.

    Args:
        segments: all rows of an index.
        quantizer: of the codes; without clusters nothing is to do.
        force: make one sorted segment of all rows, however few.
    """
    clustered = as_clustered(quantizer)
    if clustered is None:
        return segments
    parts = list(segments)
    first = 0 if force else _first_to_move(parts, clustered.lists)
    if first >= len(parts) or (force and _settled(parts)):
        return segments
    merged, moved = _merge(parts[first:], clustered)
    return segments.rearranged(first, merged, moved)


def _settled(parts: Sequence[Segment]) -> bool:
    return len(parts) == 1 and parts[0].lists is not None and parts[0].deleted == 0


def _first_to_move(parts: Sequence[Segment], lists: int) -> int:
    """Return the number of the first segment to sort; len(parts) for none."""
    unsorted = [i for i, part in enumerate(parts) if part.lists is None]
    first = unsorted[0] if unsorted else len(parts)
    rows = sum(len(part) for part in parts[first:])
    if rows < max(TAIL_ROWS, _PER_LIST * lists):
        return len(parts)
    while first > 0 and parts[first - 1].live <= _GROWTH * rows:
        first -= 1
        rows += parts[first].live
    return first


def _merge(parts: Sequence[Segment], clustered: Clustered) -> tuple[Segment, Rows]:
    """Return one sorted segment of all live rows, and where each old row went (-1: dropped)."""
    chosen = [_live(part) for part in parts]
    numbers = [
        clustered.list_of(part.codes)[rows] for part, rows in zip(parts, chosen, strict=True)
    ]
    order, offsets = sort_by_list(np.concatenate(numbers), clustered.lists)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    to = np.split(places, np.cumsum([len(rows) for rows in chosen])[:-1])
    ids = [part.ids.pick(rows) for part, rows in zip(parts, chosen, strict=True)]
    again = [part.rescore for part in parts if part.rescore is not None]
    segment = Segment(
        parts[0].start,
        _permuted([part.codes for part in parts], chosen, to),
        _permuted(again, chosen, to) if again else None,
        ids[0].join(ids).pick(order),
        offsets,
    )
    moved = np.full(sum(len(part) for part in parts), -1, dtype=np.int64)
    for part, rows, places in zip(parts, chosen, to, strict=True):
        moved[rows + (part.start - parts[0].start)] = places
    return segment, moved


def _live(part: Segment) -> Rows:
    rows = part.live_rows()
    return np.arange(len(part)) if rows is None else rows


def _permuted(codes: Sequence[Bytes], chosen: Sequence[Rows], to: Sequence[Rows]) -> Bytes:
    """Return one array with rows chosen[i] of codes[i] at to[i]."""
    out = np.empty((sum(len(rows) for rows in chosen), codes[0].shape[1]), dtype=np.uint8)
    for part, rows, places in zip(codes, chosen, to, strict=True):
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            out[places[block]] = part[rows[block]]
    return out
