"""ScaNN: anisotropic codes with reordering, with and without its tree, and int8 by brute force."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from benchmarks.vectors.engine import (
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


class Scann(Engine):
    """A ScaNN searcher; it trains and encodes in one step, which counts as adding."""

    index: Any

    def __init__(self, setting: Setting, kind: str) -> None:
        import scann

        self.library: Any = scann.scann_ops_pybind
        self.setting, self.kind = setting, kind
        self.point: Point = {}

    def add(self, x: Floats) -> None:
        builder = self.library.builder(x, 10, "dot_product")
        builder.set_n_training_threads(self.setting.threads)
        if self.kind == "int8":
            builder = builder.score_brute_force(quantize=True)
        else:
            if self.kind == "tree":
                builder = builder.tree(
                    num_leaves=self.setting.lists,
                    num_leaves_to_search=16,
                    training_sample_size=len(x),
                )
            builder = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(40)
        self.index = builder.build()
        self.index.set_num_threads(self.setting.threads)

    def use(self, point: Point) -> None:
        self.point = point

    def search(self, q: Floats, k: int) -> Ids:
        wanted = int(self.point.get("reorder", -1))
        again = max(wanted, k) if wanted > 0 else -1
        leaves = int(self.point.get("leaves", -1))
        if len(q) == 1:
            return np.asarray(self.index.search(q[0], k, again, leaves)[0])[None]
        batch = self.index.search_batched(
            q, k, again if again > 0 else None, leaves if leaves > 0 else None
        )
        return np.asarray(batch[0])

    def total_bytes(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            self.index.serialize(folder)
            return float(folder_bytes(folder))

    def code_bytes(self) -> float | None:
        d = self.setting.d
        return float(d if self.kind == "int8" else d / 4 + 4 * d)

    def scanned_bytes(self, point: Point) -> float | None:
        size = self.setting.d if self.kind == "int8" else self.setting.d / 4
        return size * point.get("leaves", self.setting.lists) / self.setting.lists


ENTRIES = [
    Entry(
        "scann AH + float32",
        "scann",
        "flat",
        lambda setting: Scann(setting, "codes"),
        sweep("reorder", (40, 100)),
    ),
    Entry(
        "scann tree AH + float32",
        "scann",
        "lists",
        lambda setting: Scann(setting, "tree"),
        sweep("leaves", PROBED, reorder=(40, 100)),
    ),
    Entry("scann int8", "scann", "flat", lambda setting: Scann(setting, "int8")),
]
