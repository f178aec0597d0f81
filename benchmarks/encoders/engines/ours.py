"""fewbits through its public API; what is measured is the list KINDS, one row per recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders.engine import (
    Engine,
    Entry,
    Floats,
    Kind,
    Setting,
    TokenIds,
    folder_files,
    model_files,
)

_BATCH_TOKENS = 65_536  # what `Encoder.encode` gives the kernels at a time

# name, numbers, and the recipe: a name of `Recipe`'s constructors with its arguments.
KINDS: list[tuple[str, Kind, tuple[str, ...]]] = [
    ("float32", "float32", ()),
    ("float16", "16 bits", ("fp16",)),
    ("INT8 dynamic", "int8 dynamic", ("int8", "dynamic")),
    ("INT8 static", "int8 static", ("int8", "static")),
]


class Fewbits(Engine):
    """An `Encoder` of the checkpoint, or of the folder that `quantize_model` and `save` made."""

    def __init__(self, setting: Setting, recipe: tuple[str, ...]) -> None:
        super().__init__(setting)
        self.recipe = recipe
        self.encoder: Any = None
        self.native: Any = None

    def build(self, calibration: list[str]) -> None:
        if self.recipe:
            quantized(self.setting.model, self.recipe, calibration).save(self.setting.folder)

    def load(self) -> None:
        from fewbits.models import Encoder

        self.encoder = Encoder.load(self._source(), executor="native")

    def encode_ids(self, ids: Sequence[TokenIds]) -> Floats:
        """Return what `Encoder.encode` returns for these tokens: the same batches and kernels."""
        from fewbits.models.batching import batches
        from fewbits.models.native import Native

        if self.native is None:
            self.native = Native(self.encoder.spec, self.encoder.tensors)
        out = np.empty((len(ids), self.encoder.dims), dtype=np.float32)
        for batch in batches(ids, _BATCH_TOKENS):
            out[batch.rows] = self.native(batch, threads=self.setting.threads)[0]
        return out

    def encode(self, texts: list[str]) -> Floats:
        found: Floats = self.encoder.encode(texts, threads=self.setting.threads)
        return found

    def files(self) -> list[Path]:
        if self.recipe:
            return folder_files(self.setting.folder)
        return model_files(self.setting.model, weights=True)

    def _source(self) -> Path:
        return self.setting.folder if self.recipe else self.setting.model


def quantized(model: Path, recipe: tuple[str, ...], calibration: list[str]) -> Any:  # noqa: ANN401
    """Return the encoder of a checkpoint under a recipe."""
    from fewbits.models import Encoder
    from fewbits.models.ptq import quantize_model
    from fewbits.models.recipe import Recipe

    name, *arguments = recipe
    wanted = getattr(Recipe, name)(*arguments)
    texts = calibration if "static" in recipe else None
    return quantize_model(Encoder.load(model), wanted, calibration=texts)


def exported(setting: Setting, variant: str, calibration: list[str]) -> Path:
    """Write the ONNX graph that fewbits exports and return its path."""
    from fewbits.models import Encoder
    from fewbits.models.onnx import export_onnx

    path = setting.folder / "model.onnx"
    if variant == "float32":
        encoder: Any = Encoder.load(setting.model)
    else:
        encoder = quantized(setting.model, ("int8", variant.removeprefix("int8-")), calibration)
    export_onnx(encoder, path, variant=variant)  # type: ignore[arg-type]
    return path


def _entry(name: str, kind: Kind, recipe: tuple[str, ...]) -> Entry:
    def make(setting: Setting) -> Engine:
        return Fewbits(setting, recipe)

    return Entry(f"fewbits {name}", "fewbits", kind, make)


ENTRIES = [_entry(*each) for each in KINDS]
