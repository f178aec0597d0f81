"""hnswlib: the float32 graph that many stores are built on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.vectors.engine import BEAMS, Engine, Entry, Floats, Ids, Point, Setting, sweep


class Graph(Engine):
    """M=16, ef_construction=200, inner product."""

    def __init__(self, setting: Setting) -> None:
        import hnswlib

        self.index: Any = hnswlib.Index(space="ip", dim=setting.d)
        self.index.init_index(max_elements=setting.n, ef_construction=200, M=16)
        self.threads = setting.threads

    def add(self, x: Floats) -> None:
        self.index.add_items(x, num_threads=self.threads)

    def use(self, point: Point) -> None:
        self.ef = int(point["ef"])

    def search(self, q: Floats, k: int) -> Ids:
        self.index.set_ef(max(self.ef, k))
        found: Ids = self.index.knn_query(q, k, num_threads=self.threads)[0]
        return found

    def total_bytes(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            self.index.save_index(str(path))
            return float(path.stat().st_size)


ENTRIES = [Entry("hnswlib float32", "hnswlib", "graph", Graph, sweep("ef", BEAMS))]
