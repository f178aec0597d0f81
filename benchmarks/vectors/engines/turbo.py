"""turbovec: rotated codes of 2, 3 or 4 bits, with and without its calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.vectors.engine import Engine, Entry, Floats, Ids, Point, Setting

_CALIBRATION_ROWS = 4096  # its documentation advises about 1,024, drawn at random


class Turbo(Engine):
    """A `TurboQuantIndex`."""

    def __init__(self, setting: Setting, bits: int, *, calibrate: bool) -> None:
        import turbovec

        self.index: Any = turbovec.TurboQuantIndex(setting.d, bits)
        self.calibrate = calibrate
        self.size = setting.d * (bits if bits == 2 else 4) / 8  # 3 bits take the room of 4

    def fit(self, x: Floats) -> None:
        if self.calibrate:
            rng = np.random.default_rng(0)
            rows = rng.choice(len(x), min(len(x), _CALIBRATION_ROWS), replace=False)
            self.index.calibrate(np.ascontiguousarray(x[np.sort(rows)]))

    def add(self, x: Floats) -> None:
        self.index.add(x)
        self.index.prepare()

    def search(self, q: Floats, k: int) -> Ids:
        found: Ids = self.index.search(q, k)[1]
        return found

    def total_bytes(self) -> float:
        return float(len(self.index.to_bytes()))

    def code_bytes(self) -> float | None:
        return self.size + 4  # one float32 per row beside the codes

    def scanned_bytes(self, point: Point) -> float | None:
        return self.size


def _entry(bits: int, calibrate: bool) -> Entry:
    name = f"turbovec {bits}" + (" calibrated" if calibrate else "")
    return Entry(
        name, "turbovec", "flat", lambda setting: Turbo(setting, bits, calibrate=calibrate)
    )


ENTRIES = [_entry(bits, calibrate) for bits in (2, 3, 4) for calibrate in (False, True)]
