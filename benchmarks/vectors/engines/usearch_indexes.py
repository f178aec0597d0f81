"""USearch: exact scans of int8 and of signs, and its HNSW over int8."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.vectors.engine import BEAMS, Engine, Entry, Floats, Ids, Point, Setting, sweep
from numpy.typing import NDArray


class Exact(Engine):
    """`usearch.index.search` over codes that numpy makes: int8 with one scale, or signs."""

    codes: NDArray[np.uint8] | NDArray[np.int8]

    def __init__(self, setting: Setting, kind: str) -> None:
        import usearch.index

        self.library: Any = usearch.index
        self.setting, self.kind, self.scale = setting, kind, 1.0
        metric = usearch.index.MetricKind
        self.metric: Any = metric.Cos if kind == "i8" else metric.Hamming
        self.size = setting.d if kind == "i8" else setting.d / 8

    def fit(self, x: Floats) -> None:
        self.scale = 127 / float(np.abs(x).max())

    def _encode(self, x: Floats) -> NDArray[np.uint8] | NDArray[np.int8]:
        if self.kind == "b1":
            signs: NDArray[np.uint8] = np.packbits(x > 0, axis=1)
            return signs
        scaled = np.rint(x * np.float32(self.scale))
        codes: NDArray[np.int8] = np.clip(scaled, -127, 127).astype(np.int8)
        return codes

    def add(self, x: Floats) -> None:
        self.codes = self._encode(x)

    def search(self, q: Floats, k: int) -> Ids:
        hits = self.library.search(
            self.codes, self._encode(q), k, self.metric, exact=True, threads=self.setting.threads
        )
        return np.asarray(hits.keys, dtype=np.int64).reshape(len(q), -1)

    def total_bytes(self) -> float:
        return float(self.codes.nbytes)

    def code_bytes(self) -> float | None:
        return self.size

    def scanned_bytes(self, point: Point) -> float | None:
        return self.size


class Graph(Engine):
    """HNSW over int8, its default connectivity."""

    def __init__(self, setting: Setting) -> None:
        import usearch.index

        self.index: Any = usearch.index.Index(ndim=setting.d, metric="cos", dtype="i8")
        self.threads = setting.threads

    def add(self, x: Floats) -> None:
        self.index.add(np.arange(len(x)), x, threads=self.threads)

    def use(self, point: Point) -> None:
        self.index.expansion_search = point["ef"]

    def search(self, q: Floats, k: int) -> Ids:
        hits = self.index.search(q, k, threads=self.threads)
        return np.asarray(hits.keys, dtype=np.int64).reshape(len(q), -1)

    def total_bytes(self) -> float:
        return float(self.index.serialized_length)


ENTRIES = [
    Entry("usearch i8 exact", "usearch", "flat", lambda setting: Exact(setting, "i8")),
    Entry("usearch b1 exact", "usearch", "flat", lambda setting: Exact(setting, "b1")),
    Entry("usearch HNSW i8", "usearch", "graph", Graph, sweep("ef", BEAMS)),
]
