"""One `Index.add`: encodes block by block, and takes everything back if it fails midway."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from fewbits.arrays import Floats, as_matrix
from fewbits.errors import ConflictError, InputError
from fewbits.vectors.ids import IdArray
from fewbits.vectors.quantizer import Quantizer
from fewbits.vectors.segments import Segments

_CLIP_SAMPLE = 256  # rows per block that clipping is measured on


class Ingest:
    """A transaction on segments and quantizers: rows are collected apart, then added at once.

    Attributes:
        clipped: share of values outside the range of the codes, over `sampled` rows.
    """

    def __init__(self, segments: Segments, tiers: list[Quantizer]) -> None:
        """Remember the state to go back to."""
        self._segments = segments
        self._tiers = tiers
        self._before = [quantizer.state() for quantizer in tiers]
        self._staged = Segments(next_id=segments.next_id)
        self._seen = (segments.rows, segments.next_id)
        self.clipped = 0.0
        self.sampled = 0

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
        if error is None:
            return
        for quantizer, state in zip(self._tiers, self._before, strict=True):
            quantizer.with_state(state)

    def calibrate(self, x: Any) -> None:  # noqa: ANN401 - whatever `add` was given
        """Fit what is not fitted on a sample of all of x, where x is an array."""
        missing = [quantizer for quantizer in self._tiers if not quantizer.fitted]
        if not missing or not (hasattr(x, "__array__") or isinstance(x, (list, tuple))):
            return
        rows = x if isinstance(x, np.ndarray) else as_matrix(x)
        if rows.ndim != 2 or len(rows):
            for quantizer in missing:
                quantizer.fit(rows)

    def take(self, block: Floats, names: IdArray | None, threads: int | None) -> None:
        """Encode one gated block and append it; `names` are the ids of the whole call."""
        self._prepare(block)
        begin = self._staged.rows
        ids = self._ids(names, begin, len(block))
        if len(block) == 0:
            return
        encoded = [quantizer.encode(block, threads=threads) for quantizer in self._tiers]
        self._watch(block)
        self._staged.append(encoded[0], encoded[1] if len(encoded) == 2 else None, ids)

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
            if not quantizer.fitted and len(block):
                quantizer.fit(block)

    def _ids(self, names: IdArray | None, begin: int, n: int) -> IdArray:
        if names is None:
            return self._segments.new_ids(n, begin)
        if begin + n > len(names):
            raise InputError(
                f"ids must have one entry per row: {len(names)} ids, at least {begin + n} rows"
            )
        return names[begin : begin + n]

    def _watch(self, block: Floats) -> None:
        measure = getattr(self._tiers[0], "clipped_fraction", None)
        if measure is None:
            return
        chosen = np.linspace(0, len(block) - 1, min(_CLIP_SAMPLE, len(block))).astype(np.int64)
        share = float(measure(block[np.unique(chosen)]))
        rows = len(np.unique(chosen))
        total = self.sampled + rows
        self.clipped = (self.clipped * self.sampled + share * rows) / total
        self.sampled = total
