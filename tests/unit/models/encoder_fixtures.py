"""The frozen fixtures of tests/data, and a model folder that a test may damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from fewbits.models import Encoder

DATA = Path(__file__).parents[2] / "data"
MODELS = DATA / "models"
FAMILIES = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta")
FIXTURES = json.loads((MODELS / "variants.json").read_text(encoding="utf-8"))


class Folder:
    """A model folder in a temporary place, to be damaged at will."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: object) -> None:
        (self.path / name).parent.mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (self.path / name).write_text(text, encoding="utf-8")

    def edit(self, name: str, **entries: object) -> None:
        path = self.path / name
        old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.write(name, {**old, **entries})

    def tensors(self) -> dict[str, np.ndarray]:
        return load_file(self.path / "model.safetensors")

    def save(self, tensors: dict[str, np.ndarray], name: str = "model.safetensors") -> None:
        save_file(tensors, self.path / name)

    def load(self) -> Encoder:
        return Encoder.load(self.path)
