from __future__ import annotations

import shutil

import numpy as np
import pytest
from encoder_fixtures import FIXTURES, MODELS, Folder
from saved_models import CALIBRATION, RECIPES

from fewbits.errors import ModelError
from fewbits.models import Encoder, default_model, quantize_model


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


@pytest.fixture(scope="session")
def saved(tiny, tmp_path_factory):
    """Return a function from a recipe's key to (encoder, the folder that it was saved in)."""
    made = {}

    def get(key):
        if key not in made:
            recipe = RECIPES[key]
            texts = CALIBRATION if key == "int8-static" else None
            small = tiny if key == "float32" else quantize_model(tiny, recipe, calibration=texts)
            folder = tmp_path_factory.mktemp("saved") / key
            small.save(folder)
            made[key] = small, folder
        return made[key]

    return get


@pytest.fixture
def broken(saved, tmp_path):
    """Return a function that copies a saved model for a test to damage."""

    def copy(key="int8-dynamic"):
        target = tmp_path / key
        shutil.copytree(saved(key)[1], target)
        return target

    return copy
