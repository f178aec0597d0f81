"""One `Index.add`: encodes block by block, and takes everything back if it fails midway."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from fewbits.arrays import Bytes, Floats, as_matrix
from fewbits.errors import ConflictError, InputError
from fewbits.vectors.drift import Mean, Watched
from fewbits.vectors.ids import IdArray, refuse_duplicates
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.sample import draw_sample
from fewbits.vectors.segments import Segments
from fewbits.vectors.tiers import Coded, Tiers

_CLIP_SAMPLE = 256  # rows per block that clipping is measured on


class Ingest:
    """A transaction on segments and quantizers: rows are collected apart, then added at once.

    Attributes:
        watched: what was seen of the rows taken.
    """

    def __init__(self, segments: Segments, tiers: Tiers) -> None:
        """Remember the state to go back to."""
        self._segments = segments
        self._tiers = tiers
        self._before = tiers.state()
        self._staged = Segments(next_id=segments.next_id)
        self._seen = (segments.rows, segments.next_id)
        self.watched = Watched()

    def __enter__(self) -> Ingest:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget what was learned if the block failed; its rows were never added."""
        if error is not None:
            self._tiers.restore(self._before)

    def calibrate(self, x: Any) -> None:  # noqa: ANN401 - whatever `add` was given
        """Fit what is not fitted on a sample of all of x, where x is an array."""
        if self._tiers.fitted or not (hasattr(x, "__array__") or isinstance(x, (list, tuple))):
            return
        rows = x if isinstance(x, np.ndarray) else as_matrix(x)
        if rows.ndim != 2 or len(rows):
            self._tiers.fit(draw_sample(rows, self._tiers.sample_rows), again=False)

    def take(
        self,
        block: Floats,
        names: IdArray | None,
        threads: int | None,
        *,
        again: Bytes | None = None,
    ) -> None:
        """Encode one gated block and append it.

        Args:
            block: float32 (n, d).
            names: the ids of the whole call; None for automatic ones.
            threads: at most this many.
            again: the rows' second-tier codes where they are known.
        """
        self._prepare(block)
        begin = self._staged.rows
        ids = self._ids(names, begin, len(block))
        if len(block) == 0:
            return
        coded = self._tiers.encode(block, threads, again)
        self.watched = self.watched.plus(seen(self._tiers.codes, block, coded))
        self._staged.append(coded.codes, coded.again, ids)

    def finish(self, names: IdArray | None, old: IdArray, current: Segments) -> None:
        """Add all rows taken, in place of those of the ids `old`.

        Args:
            names: their ids; None for automatic ones.
            old: ids to delete, all present.
            current: the index's segments by now.

        Raises:
            InputError: there are more ids than rows.
            ConflictError: the index changed since this add began.
        """
        added = self._staged.rows
        if names is not None and len(names) != added:
            raise InputError(f"ids must have one entry per row: {len(names)} ids, {added} rows")
        if current is not self._segments or self._seen != (current.rows, current.next_id):
            raise ConflictError(
                "the index was changed by the iterator that this add reads its rows from"
            )
        ids = self._segments.new_ids(added) if names is None else names
        self._segments.attach(self._staged, ids, old)

    def _prepare(self, block: Floats) -> None:
        for quantizer in self._tiers:
            if quantizer.dims is not None and block.shape[1] != quantizer.dims:
                raise InputError(
                    f"x must have {quantizer.dims} columns as this index has, got {block.shape[1]}"
                )
        if len(block) and not self._tiers.fitted:
            self._tiers.fit(block, again=False)

    def _ids(self, names: IdArray | None, begin: int, n: int) -> IdArray:
        if names is None:
            return self._segments.new_ids(n, begin)
        if begin + n > len(names):
            raise InputError(
                f"ids must have one entry per row: {len(names)} ids, at least {begin + n} rows"
            )
        return names[begin : begin + n]


def seen(codes: Quantizer, block: Floats, coded: Coded) -> Watched:
    """Return what a block of rows and its codes show; clipping is measured on some of the rows."""
    lost = Mean()
    if coded.lost is not None and len(block):
        lost = Mean(float(coded.lost.mean(dtype=np.float64)), len(block))
    measure = getattr(codes, "clipped_fraction", None)
    if measure is None:
        return Watched(lost=lost)
    chosen = np.unique(np.linspace(0, len(block) - 1, min(_CLIP_SAMPLE, len(block))).astype(int))
    return Watched(Mean(float(measure(block[chosen])), len(chosen)), lost)


def ids_to_replace(segments: Segments, names: IdArray | None, *, replace: bool) -> IdArray:
    """Return those of the new ids that are present and will be replaced.

    Raises:
        DuplicateIdError: an id is given twice, or is present and `replace` is False.
    """
    if names is None:
        return np.empty(0, dtype=np.int64)
    refuse_duplicates(names)
    if not replace:
        segments.check_new(names)
        return names[:0]
    return names[segments.find(names) >= 0]
