"""What one search reads: quantizers and rows that belong together, replaced as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fewbits.arrays import Bytes, Floats
from fewbits.vectors.ids import Rows
from fewbits.vectors.segments import Segments
from fewbits.vectors.tiers import Tiers


@dataclass(frozen=True)
class State:
    """Tiers and the segments that hold their codes."""

    tiers: Tiers
    segments: Segments

    def decode(self, rows: Rows) -> Floats:
        """Return the stored vectors of global rows, float32 (n, d), by the more accurate tier."""
        out = np.empty((len(rows), self.tiers.codes.dims or 1), dtype=np.float32)
        for segment in self.segments:
            inside = (rows >= segment.start) & (rows < segment.start + len(segment))
            if inside.any():
                local = rows[inside] - segment.start
                again = None if segment.rescore is None else segment.rescore[local]
                out[inside] = self.tiers.decode(segment.codes[local], again)
        return out

    def second_codes(self, rows: Rows) -> Bytes:
        """Return the second tier's code rows of global rows, uint8 (n, code_size)."""
        assert self.tiers.rescore is not None
        out = np.empty((len(rows), self.tiers.rescore.code_size), dtype=np.uint8)
        for segment in self.segments:
            inside = (rows >= segment.start) & (rows < segment.start + len(segment))
            if inside.any():
                assert segment.rescore is not None
                out[inside] = segment.rescore[rows[inside] - segment.start]
        return out

    def compacted(self) -> State:
        """Return the same rows in fewer segments, without the deleted ones."""
        merged = Segments(next_id=self.segments.next_id)
        for segment in self.segments:
            rows = segment.live_rows()
            chosen: Rows | slice = slice(None) if rows is None else rows
            again = None if segment.rescore is None else segment.rescore[chosen]
            if segment.live:
                merged.append(segment.codes[chosen], again, segment.ids.take(chosen))
        return State(self.tiers, merged)
