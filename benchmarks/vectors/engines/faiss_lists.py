"""FAISS indexes that look into some clusters (IVF) or walk a graph (HNSW)."""

from __future__ import annotations

from benchmarks.vectors.engine import (
    BEAMS,
    OVERSAMPLED,
    PROBED,
    Engine,
    Entry,
    Point,
    Setting,
    sweep,
)
from benchmarks.vectors.engines.faiss_codes import Faiss

_ID_BYTES = 8


class Lists(Faiss):
    """IVF: codes of residuals in inverted lists; `again` names a second copy for candidates."""

    def __init__(self, setting: Setting, codes: str, *, rotate: bool, again: str | None) -> None:
        factory = f"IVF{setting.lists},{codes}"
        if rotate:
            factory = f"RR{setting.d},{factory}"
        # RaBitQ of residuals finds more by distance than by inner product: .63 against .52.
        super().__init__(setting, factory + (f",Refine({again})" if again else ""), l2=rotate)

    def code_bytes(self) -> float | None:
        return float(self.index.sa_code_size()) + _ID_BYTES

    def scanned_bytes(self, point: Point) -> float | None:
        return float(self.inner.code_size * point["nprobe"] / self.setting.lists)


class Graph(Faiss):
    """HNSW with 32 links per row; one row more costs its code and its links."""

    def code_bytes(self) -> float | None:
        return None

    def scanned_bytes(self, point: Point) -> float | None:
        return None


def _lists(
    name: str,
    codes: str,
    *,
    rotate: bool = False,
    again: str | None = None,
    divide: int = 0,
    slow: bool = False,
) -> Entry:
    """Return an entry; `divide` gives product quantizers one field per so many dimensions."""

    def make(setting: Setting) -> Engine:
        kind = codes.format(setting.d // divide) if divide else codes
        return Lists(setting, kind, rotate=rotate, again=again)

    points = sweep("nprobe", PROBED, **({"oversample": OVERSAMPLED} if again else {}))
    return Entry(f"faiss IVF {name}", "faiss-cpu", "lists", make, points, slow)


def _graph(name: str, factory: str) -> Entry:
    return Entry(
        f"faiss {name}",
        "faiss-cpu",
        "graph",
        lambda setting: Graph(setting, factory),
        sweep("ef", BEAMS),
    )


ENTRIES = [
    _lists("SQ8", "SQ8"),
    _lists("PQ FastScan .5 + SQ8", "PQ{}x4fs", divide=8, again="SQ8"),
    _lists("PQ FastScan 1 + SQ4", "PQ{}x4fs", divide=4, again="SQ4"),
    _lists("PQ FastScan 1 + SQ8", "PQ{}x4fs", divide=4, again="SQ8"),
    _lists("RaBitQ 1 + SQ8", "RaBitQ", rotate=True, again="SQ8"),
    _lists("RaBitQ 4", "RaBitQ4", rotate=True, slow=True),
    _lists("RaBitQ FastScan 1 + SQ8", "RaBitQfs", rotate=True, again="SQ8"),
    _lists("RaBitQ FastScan 2", "RaBitQfs2", rotate=True),
    _lists("RaBitQ FastScan 4", "RaBitQfs4", rotate=True),
    _graph("HNSW float32", "HNSW32,Flat"),
    _graph("HNSW SQ8", "HNSW32,SQ8"),
]
