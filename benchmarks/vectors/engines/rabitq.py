"""RaBitQ-Library: one list (a flat scan), many lists, and its two graphs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.vectors.engine import (
    BEAMS,
    PROBED,
    Engine,
    Entry,
    Floats,
    Ids,
    Point,
    Setting,
    sweep,
)

_GRAPH_CLUSTERS = 16  # rotation centres of the HNSW codes, as in its examples


class Rabitq(Engine):
    """What the library's indexes share: the size of the file that `save` writes, and its search."""

    index: Any

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.point: Point = {}

    def use(self, point: Point) -> None:
        self.point = point

    def total_bytes(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            self.index.save(str(path))
            return float(path.stat().st_size)


class Lists(Rabitq):
    """IVF with `clusters` lists; one list is a flat scan of all codes around their mean."""

    def __init__(self, setting: Setting, bits: int, clusters: int) -> None:
        import rabitqlib

        super().__init__(setting)
        self.library: Any = rabitqlib
        self.bits, self.clusters = bits, clusters
        self.index = rabitqlib.IvfIndex(setting.d, setting.n, clusters, bits, metric="ip")

    def fit(self, x: Floats) -> None:
        if self.clusters == 1:
            self.centres = x.mean(axis=0, keepdims=True)
            self.near: Ids = np.zeros(len(x), dtype=np.uint32)
        else:
            self.centres, self.near = clustered(x, self.clusters, self.setting)

    def add(self, x: Floats) -> None:
        self.index.build(x, self.centres, self.near, self.setting.threads)

    def search(self, q: Floats, k: int) -> Ids:
        probes = int(self.point.get("nprobe", 1))
        found: Ids = self.index.search(q, k, probes, num_threads=self.setting.threads)[0]
        return found

    def code_bytes(self) -> float | None:
        factors = 12 if self.bits == 1 else 20  # and 4 bytes of row number
        return self.setting.d * self.bits / 8 + factors + 4

    def scanned_bytes(self, point: Point) -> float | None:
        return self.setting.d * self.bits / 8 * point.get("nprobe", 1) / self.clusters


class Graph(Rabitq):
    """HNSW over codes of `bits` bits."""

    def __init__(self, setting: Setting, bits: int) -> None:
        import rabitqlib

        super().__init__(setting)
        self.index = rabitqlib.HnswIndex(setting.d, setting.n, nbits=bits, metric="ip")

    def add(self, x: Floats) -> None:
        centres, near = clustered(x, _GRAPH_CLUSTERS, self.setting)
        self.index.build(x, centres, near, self.setting.threads)

    def search(self, q: Floats, k: int) -> Ids:
        ef = max(k, int(self.point["ef"]))
        found: Ids = self.index.search(q, k, ef=ef, num_threads=self.setting.threads)[0]
        return found


class Symphony(Rabitq):
    """SymphonyQG: a graph whose links carry the codes of the rows that they lead to."""

    def __init__(self, setting: Setting) -> None:
        import rabitqlib

        super().__init__(setting)
        self.index = rabitqlib.SymqgIndex(setting.d, 32, metric="ip")

    def add(self, x: Floats) -> None:
        self.index.build(x, 200, self.setting.threads)

    def search(self, q: Floats, k: int) -> Ids:
        ef = max(k, int(self.point["ef"]))
        found: Ids = self.index.search(q, k, ef, num_threads=self.setting.threads)[0]
        return found


def clustered(x: Floats, clusters: int, setting: Setting) -> tuple[Floats, Ids]:
    """Return centres (clusters, d) and the nearest one of each row, by the library's k-means."""
    import rabitqlib

    means = rabitqlib.RaBitQKMeans(setting.d, clusters, num_threads=setting.threads)
    means.train(x)
    return means.centroids, means.assignments


def _flat(bits: int) -> Entry:
    def make(setting: Setting) -> Engine:
        return Lists(setting, bits, 1)

    return Entry(f"rabitqlib {bits}", "rabitqlib", "flat", make, slow=bits > 4)


def _lists(bits: int) -> Entry:
    def make(setting: Setting) -> Engine:
        return Lists(setting, bits, setting.lists)

    points = sweep("nprobe", PROBED)
    return Entry(f"rabitqlib IVF {bits}", "rabitqlib", "lists", make, points)


ENTRIES = [
    *(_flat(bits) for bits in (1, 2, 3, 4, 6, 8)),
    *(_lists(bits) for bits in (1, 2, 4, 8)),
    Entry(
        "rabitqlib HNSW 4",
        "rabitqlib",
        "graph",
        lambda setting: Graph(setting, 4),
        sweep("ef", BEAMS),
    ),
    Entry("rabitqlib SymphonyQG", "rabitqlib", "graph", Symphony, sweep("ef", BEAMS)),
]
