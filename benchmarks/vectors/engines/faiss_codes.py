"""FAISS indexes that scan all codes: scalar, product and binary-like quantizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from benchmarks.vectors.engine import (
    OVERSAMPLED,
    Engine,
    Entry,
    Floats,
    Ids,
    Point,
    Setting,
    sweep,
)

_ROTATION_ROWS = 8192  # to learn the rotation of OPQ from: 65,536, its default, take minutes


class Faiss(Engine):
    """An index of `faiss.index_factory`. RaBitQ queries have 8 bits.

    Vectors have unit length, so `l2` ranks as inner product does; some kinds are better at it.
    """

    def __init__(self, setting: Setting, factory: str, *, l2: bool = False) -> None:
        import faiss

        faiss.omp_set_num_threads(setting.threads)
        self.faiss: Any = faiss
        self.setting = setting
        metric = faiss.METRIC_L2 if l2 else faiss.METRIC_INNER_PRODUCT
        self.index: Any = faiss.index_factory(setting.d, factory, metric)
        self.inner: Any = self._innermost()
        if hasattr(self.inner, "qb"):
            self.inner.qb = 8
        if setting.thorough and hasattr(self.inner, "pq"):
            self.inner.pq.cp.max_points_per_centroid = setting.n
        if factory.startswith("OPQ"):
            rotation = faiss.downcast_VectorTransform(self.index.chain.at(0))
            rotation.max_train_points = _ROTATION_ROWS

    def _innermost(self) -> Any:  # noqa: ANN401 - one of many index classes
        index = self.index
        for wrapper, member in (("IndexRefine", "base_index"), ("IndexPreTransform", "index")):
            if isinstance(index, getattr(self.faiss, wrapper)):
                index = self.faiss.downcast_index(getattr(index, member))
        return index

    def fit(self, x: Floats) -> None:
        self.index.train(x)

    def add(self, x: Floats) -> None:
        self.index.add(x)

    def use(self, point: Point) -> None:
        if "nprobe" in point:
            self.inner.nprobe = point["nprobe"]
        if "ef" in point:
            self.inner.hnsw.efSearch = point["ef"]
        if "oversample" in point:
            self.index.k_factor = point["oversample"]

    def search(self, q: Floats, k: int) -> Ids:
        found: Ids = self.index.search(q, k)[1]
        return found

    def total_bytes(self) -> float:
        return float(self.faiss.serialize_index(self.index).size)

    def code_bytes(self) -> float | None:
        return float(self.index.sa_code_size())

    def scanned_bytes(self, point: Point) -> float | None:
        return float(self.inner.sa_code_size())


class Hamming(Engine):
    """Signs compared by Hamming distance."""

    def __init__(self, setting: Setting) -> None:
        import faiss

        faiss.omp_set_num_threads(setting.threads)
        self.index: Any = faiss.IndexBinaryFlat(setting.d)
        self.size = setting.d / 8

    def add(self, x: Floats) -> None:
        self.index.add(np.packbits(x > 0, axis=1))

    def search(self, q: Floats, k: int) -> Ids:
        found: Ids = self.index.search(np.packbits(q > 0, axis=1), k)[1]
        return found

    def total_bytes(self) -> float:
        return float(self.index.ntotal * self.size)

    def code_bytes(self) -> float | None:
        return self.size

    def scanned_bytes(self, point: Point) -> float | None:
        return self.size


def _entry(name: str, factory: Callable[[int], str], *, slow: bool = False) -> Entry:
    def make(setting: Setting) -> Engine:
        return Faiss(setting, factory(setting.d))

    return Entry(f"faiss {name}", "faiss-cpu", "flat", make, slow=slow)


def _fields(name: str, factory: str, share: int, *, slow: bool = False) -> Entry:
    """Return a product quantizer with one field per `share` dimensions."""
    return _entry(name, lambda d: factory.format(d // share), slow=slow)


def _rotated(name: str, kind: str, *, slow: bool = False) -> Entry:
    """Return codes that need a random rotation first."""
    return _entry(name, lambda d: f"RR{d},{kind}", slow=slow)


def _refined(bits: str, share: int, again: str) -> Entry:
    """Return FastScan codes whose candidates are scored again from a second copy."""

    def make(setting: Setting) -> Engine:
        return Faiss(setting, f"PQ{setting.d // share}x4fs,Refine({again})")

    name = f"faiss PQ FastScan {bits} + {again}"
    points = sweep("oversample", (1, *OVERSAMPLED))
    return Entry(name, "faiss-cpu", "flat", make, points)


ENTRIES = [
    Entry("faiss binary", "faiss-cpu", "flat", Hamming),
    _entry("flat float32", lambda d: "Flat"),
    _entry("SQfp16", lambda d: "SQfp16"),
    _entry("SQ8", lambda d: "SQ8"),
    _entry("SQ6", lambda d: "SQ6", slow=True),
    _entry("SQ4", lambda d: "SQ4"),
    # Behind a name: bits per dimension. FastScan fields have 4 bits, the others 8. "np" leaves out
    # the training for Hamming distances, which takes minutes and changes no result here.
    *(_fields(f"PQ FastScan {b}", "PQ{0}x4fs", s) for b, s in ((".5", 8), ("1", 4), ("2", 2))),
    *(_fields(f"PQ {b}", "PQ{0}np", s, slow=True) for b, s in ((".5", 16), ("1", 8), ("2", 4))),
    *(
        _fields(f"OPQ {b}", "OPQ{0},PQ{0}np", s, slow=True)
        for b, s in ((".5", 16), ("1", 8), ("2", 4))
    ),
    *(_rotated(f"RaBitQ {b}", f"RaBitQ{b}", slow=b in (3, 6, 8)) for b in (1, 2, 3, 4, 6, 8)),
    *(_rotated(f"RaBitQ FastScan {b}", f"RaBitQfs{b}") for b in (1, 2, 4)),
    *(_rotated(f"EDEN {b}", f"EDEN{b}", slow=b > 2) for b in (1, 2, 3, 4, 6, 8)),
    *(_refined(b, s, again) for b, s in ((".5", 8), ("1", 4)) for again in ("SQ4", "SQ8")),
]
