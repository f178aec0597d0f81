"""Model names of the Hugging Face Hub: only the files that fewbits reads are fetched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fewbits.errors import ModelError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_FILES = [
    "*.json", "*/config.json", "*/tokenizer*.json", "*/special_tokens_map.json",
    "*/sentence_*_config.json", "model*.safetensors", "*/model*.safetensors",
    "fewbits*.safetensors",
]  # fmt: skip
_NOT = ["onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]


def is_hub_name(name: str) -> bool:
    """Whether `name` is spelled like a model of the Hub: owner/model."""
    return _NAME.fullmatch(name) is not None and ".." not in name


def fetch(name: str) -> Path:
    """Return the local folder of a model of the Hub, fetched unless it is there already.

    Weights are fetched as safetensors only. Where, with which token, and whether the network may
    be used is up to huggingface_hub's own settings (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE).

    Raises:
        ModelError: huggingface_hub is not installed, there is no such model, or no network.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelError(
            f"no folder {name!r} is here, and to fetch it from the Hugging Face Hub "
            "huggingface_hub must be installed: `pip install 'fewbits[hub]'`"
        ) from error
    hub: Any = huggingface_hub
    try:
        found = hub.snapshot_download(name, allow_patterns=_FILES, ignore_patterns=_NOT)
    except Exception as error:  # its errors come from several packages, and change
        raise ModelError(
            f"no folder {name!r} is here, and the Hugging Face Hub did not give it: "
            f"{_first_line(error)}; check the name and the network (HF_HUB_OFFLINE=1 allows only "
            "what was fetched before), or give a model folder"
        ) from error
    return Path(found)


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
