"""Sorted segments: rows in the order of their centroids, and where each centroid's list begins."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats
from fewbits.errors import FormatError
from fewbits.vectors.ids import Rows
from fewbits.vectors.segment import Segment
from fewbits.vectors.segments import Segments

Numbers: TypeAlias = NDArray[np.integer[Any]]


class Clustered(Protocol):
    """What a quantizer offers whose code rows name the centroid that they lie nearest to."""

    @property
    def lists(self) -> int:
        """Centroids; 0 or 1 for none."""

    def list_of(self, codes: Bytes) -> Numbers:
        """Return the centroid of each code row, integers (n,) from 0 to lists - 1."""

    def scan_lists(
        self,
        q: Floats,
        codes: Bytes,
        offsets: Rows,
        alive: Bytes | None,
        k: int,
        probes: int,
        margin: float,
        threads: int | None,
    ) -> tuple[Floats, Rows, Numbers]:
        """Search lists in descending order of <q, centroid> until one of two rules stops it.

        Args:
            q: float32 (nq, d).
            codes: uint8 (n, code_size), rows ascending in their centroid.
            offsets: int64 (lists + 1,); list l holds rows offsets[l] up to offsets[l + 1].
            alive: uint8 (n,), 0 for rows to leave out; None for no such rows.
            k: hits wanted.
            probes: most lists to look at; 0 for all.
            margin: where k hits are held, stop at a list whose <q, centroid> + margin * noise is
                below the k-th, noise being the standard deviation of <q, residual>; < 0: never.
            threads: at most this many; None for all cores.

        Returns:
            (scores (nq, k) best first, rows (nq, k), lists looked at (nq,)); where fewer rows were
            seen, the rest is -inf and -1.
        """


def as_clustered(quantizer: object) -> Clustered | None:
    """Return a quantizer that knows lists as such, None for any other."""
    known = int(getattr(quantizer, "lists", 0) or 0)
    return cast("Clustered", quantizer) if known > 1 else None


def sort_by_list(numbers: Numbers, lists: int) -> tuple[Rows, Rows]:
    """Return (order, offsets): rows ascending in their list, those of one list in row order."""
    # numpy sorts 16-bit integers by radix, in linear time.
    narrow = numbers.astype(np.uint16) if lists <= 1 << 16 else numbers
    return np.argsort(narrow, kind="stable"), offsets_of(numbers, lists)


def offsets_of(numbers: Numbers, lists: int) -> Rows:
    """Return where each list begins in rows sorted by list: int64 (lists + 1,)."""
    out = np.zeros(lists + 1, dtype=np.int64)
    np.cumsum(np.bincount(numbers, minlength=lists), out=out[1:])
    return out


def attach_lists(segments: Segments, quantizer: object, *, verify: bool, where: str) -> None:
    """Give the segments of an opened index the offsets that lie in their files.

    Args:
        segments: as read; those without such a tensor stay unsorted.
        quantizer: of the codes.
        verify: also compare the order of all rows with the offsets, which reads every row. Without
            it wrong offsets may hide rows from a search, and do no other harm.
        where: what error messages call the index.

    Raises:
        FormatError: offsets that do not fit the rows or the quantizer.
    """
    for segment in segments:
        found = None if segment.entry is None else segment.entry.contents.tensors.get("lists")
        if found is None:
            continue
        assert segment.entry is not None
        name = f"{where}/{segment.entry.name}"
        clustered = as_clustered(quantizer)
        if clustered is None:
            raise FormatError(f"{name}: has lists, but the quantizer has no clusters")
        _check_offsets(found, clustered.lists, len(segment), name)
        if verify:
            _check_order(segment, found, clustered, name)
        segment.lists = found


def _check_offsets(offsets: NDArray[Any], lists: int, rows: int, where: str) -> None:
    if offsets.dtype != np.int64 or offsets.shape != (lists + 1,):
        raise FormatError(
            f"{where}: lists must be int64 ({lists + 1},), got {offsets.dtype} {offsets.shape}"
        )
    ascending = bool(np.all(offsets[1:] >= offsets[:-1]))
    if offsets[0] != 0 or offsets[-1] != rows or not ascending:
        raise FormatError(f"{where}: lists do not cut the {rows} rows")


def _check_order(segment: Segment, offsets: Rows, clustered: Clustered, where: str) -> None:
    numbers = clustered.list_of(segment.codes)
    if not np.all(numbers[1:] >= numbers[:-1]):
        raise FormatError(f"{where}: rows are not in the order of their lists")
    if not np.array_equal(offsets_of(numbers, clustered.lists), offsets):
        raise FormatError(f"{where}: lists do not begin where the rows say")
