from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fewbits.errors import ModelError
from fewbits.models import Encoder, default_model

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


@pytest.fixture
def model_folder(tmp_path):
    """Return a function that copies a family's tiny checkpoint, or composes a variant of it."""

    def make(family: str = "bert", variant: str | None = None) -> Folder:
        made = FIXTURES["variants"][variant] if variant else {"family": family}
        target = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(MODELS / made["family"], target)
        folder = Folder(target)
        for name, content in made.get("files", {}).items():
            folder.write(name, content)
        arrays = np.load(MODELS / "dense.npz")
        for path, tensors in made.get("dense", {}).items():
            stored = {f"linear.{kind}": arrays[key] for kind, key in tensors.items()}
            folder.save(stored, f"{path}/model.safetensors")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny():
    """The BERT-shaped tiny encoder; read it, never change it."""
    return Encoder.load(MODELS / "bert")


@pytest.fixture(scope="session")
def minilm():
    try:
        folder = default_model()
    except ModelError as error:
        pytest.skip(str(error))
    return Encoder.load(folder)
