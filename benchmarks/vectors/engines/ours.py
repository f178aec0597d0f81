"""fewbits through its public API; what is measured is the list KINDS, one row per index."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from itertools import product
from math import log2
from pathlib import Path
from typing import Any

from benchmarks.vectors.engine import (
    OVERSAMPLED,
    PROBED,
    Engine,
    Entry,
    Floats,
    Ids,
    Point,
    Setting,
    folder_bytes,
    sweep,
)

# Left alone, an index chooses how many candidates to score again and how many clusters to see.
_AGAIN: tuple[Point, ...] = ({}, *sweep("oversample", (1, *OVERSAMPLED)))
_ALONE: tuple[Point, ...] = tuple({"recall": each} for each in (0.9, 0.95, 0.99))

# Everything but "points" and "slow" is handed to `fewbits.Index`; points go to `search`.
# "4*sqrt(n)" becomes the power of two next to it.
KINDS: list[dict[str, Any]] = [
    {"quantizer": "float16"},
    {"quantizer": "int8"},
    {"quantizer": "int4"},
    {"quantizer": "ternary"},
    {"quantizer": "binary"},
    {"quantizer": "binary", "rescore": "int8", "points": _AGAIN},
    *({"quantizer": "trellis", "bits": bits} for bits in (0.5, 1, 2, 4, 8)),
    *(
        {"quantizer": "trellis", "bits": bits, "rescore_bits": again, "points": _AGAIN}
        for bits, again in product((0.5, 1), (2, 4))
    ),
    # Fewer axes make the scan of many queries at once as short as its multiplications.
    {
        "quantizer": "trellis",
        "code_size": 40,
        "axes": 120,
        "rescore_bits": 5,
        "points": ({"oversample": 15},),
    },
    *(
        {
            "quantizer": "trellis",
            "bits": bits,
            "rescore_bits": 4,
            "clusters": clusters,
            "points": (*_ALONE, *sweep("nprobe", PROBED)),
        }
        for bits, clusters in ((1, 1024), (1, 2048))
    ),
]


class Fewbits(Engine):
    """One `fewbits.Index`."""

    def __init__(self, setting: Setting, params: Mapping[str, Any]) -> None:
        import fewbits

        self.setting = setting
        self.params: dict[str, Any] = {
            key: _resolved(value, setting.n) for key, value in params.items()
        }
        self.index: Any = fewbits.Index(**self.params)
        self.point: Point = {}

    def fit(self, x: Floats) -> None:
        self.index.fit(x)

    def add(self, x: Floats) -> None:
        self.index.add(x, threads=self.setting.threads)

    def use(self, point: Point) -> None:
        self.point = point

    def search(self, q: Floats, k: int) -> Ids:
        found: Ids = self.index.search(q, k, threads=self.setting.threads, **self.point).ids
        return found

    def total_bytes(self) -> float:
        """Return the size of the saved index. Ids count where rows are moved into clusters."""
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder) / "index")
            size = folder_bytes(folder)
        info = self.index.info()
        return float(size if "clusters" in self.params else size - info["id_bytes"])

    def code_bytes(self) -> float | None:
        info = self.index.info()
        return float(info["bytes_per_vector"] + info["rescore_bytes_per_vector"])

    def scanned_bytes(self, point: Point) -> float | None:
        if "clusters" not in self.params:
            share = 1.0
        elif "nprobe" in point:
            share = min(1.0, point["nprobe"] / self.params["clusters"])
        else:
            return None
        return float(self.index.info()["bytes_per_vector"] * share)


def _resolved(value: object, n: int) -> object:
    match = re.fullmatch(r"([\d.]+)\*sqrt\(n\)", value) if isinstance(value, str) else None
    if match is None:
        return value
    return int(2 ** round(log2(float(match[1]) * n**0.5)))


def entry(spec: Mapping[str, Any]) -> Entry:
    """Return the entry of one row of KINDS, or of the same written by hand."""
    params = {key: value for key, value in spec.items() if key not in ("points", "slow")}
    rest = [f"{key}={value}" for key, value in params.items() if key != "quantizer"]
    return Entry(
        " ".join(["fewbits", params["quantizer"], *rest]),
        "fewbits",
        "lists" if "clusters" in params else "flat",
        lambda setting: Fewbits(setting, params),
        tuple(spec.get("points", ({},))),
        bool(spec.get("slow", False)),
    )


ENTRIES = [entry(spec) for spec in KINDS]
