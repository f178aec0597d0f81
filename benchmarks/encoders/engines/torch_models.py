"""sentence-transformers on PyTorch: what most users have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders.engine import Engine, Entry, Floats, Kind, Setting, model_files
from benchmarks.encoders.padded import BATCHES, Padded, PaddedEngine


class SentenceTransformers(PaddedEngine):
    """A `SentenceTransformer` in float32 or bfloat16."""

    def __init__(self, setting: Setting, dtype: str) -> None:
        super().__init__(setting)
        self.dtype = dtype
        self.model: Any = None
        self.torch: Any = None

    def load(self) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(self.setting.threads)
        self.torch = torch
        self.model = SentenceTransformer(
            str(self.setting.model),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": getattr(torch, self.dtype)},
        )

    def run(self, batches: list[Padded]) -> list[Floats]:
        return [self._vectors(ids, mask) for ids, mask in batches]

    def encode(self, texts: list[str]) -> Floats:
        """Return vectors by the library's own call, which sorts by length itself."""
        found = self.model.encode(
            texts,
            batch_size=int(self.setting.choice.get("batch", 32)),
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        rows: Floats = found.float().numpy()
        return rows

    def files(self) -> list[Path]:
        return model_files(self.setting.model, weights=True)

    def _vectors(self, ids: np.ndarray, mask: np.ndarray) -> Floats:
        torch = self.torch
        with torch.inference_mode():
            features = {
                "input_ids": torch.from_numpy(ids),
                "attention_mask": torch.from_numpy(mask),
            }
            rows: Floats = self.model(features)["sentence_embedding"].float().numpy()
        return rows


def _entry(dtype: str, kind: Kind) -> Entry:
    def make(setting: Setting) -> Engine:
        return SentenceTransformers(setting, dtype)

    name = f"sentence-transformers {dtype}"
    return Entry(name, "sentence-transformers", kind, make, {"batch": BATCHES})


ENTRIES = [_entry("float32", "float32"), _entry("bfloat16", "16 bits")]
