"""Weights from safetensors files: one file or shards, float32 whatever they were stored in."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from fewbits.arrays import Floats
from fewbits.errors import ModelError
from fewbits.models.config import Config
from fewbits.models.family import Family
from fewbits.models.spec import EncoderSpec

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLE = "pytorch_model.bin"
_DTYPES = ("F32", "F16", "BF16", "F64")

_CONVERT = (
    "import torch, safetensors.torch as st; "
    f"t = torch.load('{_PICKLE}', weights_only=True); "
    f"st.save_file({{k: v.contiguous().clone() for k, v in t.items()}}, '{_SINGLE}')"
)

# Checkpoints converted from TensorFlow call a layer norm's weight and bias gamma and beta.
_OLD_NAMES = {"weight": "gamma", "bias": "beta"}


class Checkpoint:
    """The tensors of one folder, read on demand; use as a context manager.

    Raises:
        ModelError: no safetensors file, a shard that the index names is missing, a file that is
            not safetensors; from `tensor`: an absent tensor or one that does not hold floats.
    """

    def __init__(self, folder: Path) -> None:
        """Open the files of `folder` and read their headers."""
        self.folder = folder
        self._files: dict[str, Path] = {}
        self._handles: dict[Path, Any] = {}
        for path in _files_of(folder):
            self._open(path)

    def __enter__(self) -> Checkpoint:
        """Return the checkpoint itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        for handle in self._handles.values():
            handle.__exit__(kind, error, trace)
        self._handles.clear()

    def __contains__(self, name: str) -> bool:
        """Whether some file holds a tensor of this name."""
        return name in self._files

    def tensor(self, name: str) -> Floats:
        """Return one tensor as C-contiguous float32."""
        if name not in self._files:
            raise ModelError(
                f"{self.folder} holds no tensor {name!r}; the checkpoint is incomplete"
            )
        path = self._files[name]
        handle = self._handles[path]
        dtype = str(handle.get_slice(name).get_dtype())
        if dtype not in _DTYPES:
            raise ModelError(
                f"{path}: tensor {name!r} must be stored as {' or '.join(_DTYPES)}, got {dtype}"
            )
        if dtype == "BF16":
            return _bfloat16(path, name)
        return np.ascontiguousarray(handle.get_tensor(name), dtype=np.float32)

    def _open(self, path: Path) -> None:
        try:
            handle: Any = safe_open(str(path), framework="numpy")
        except FileNotFoundError:
            raise ModelError(f"{path} is missing, yet {_INDEX} names it") from None
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path} is not a readable safetensors file: {error}") from error
        self._handles[path] = handle
        names: list[str] = handle.keys()
        self._files.update(dict.fromkeys(names, path))


def read_weights(folder: Path, family: Family, spec: EncoderSpec) -> dict[str, Floats]:
    """Return the transformer's tensors under their canonical names, float32, shapes checked.

    Raises:
        ModelError: a missing file or tensor, a foreign file, a shape that the config contradicts.
    """
    shapes = {k: v for k, v in spec.shapes().items() if not k.startswith("dense.")}
    with Checkpoint(folder) as checkpoint:
        return {name: _canonical(checkpoint, family, name, shapes[name]) for name in shapes}


def read_linear(folder: Path, out_features: int, in_features: int, bias: bool) -> list[Floats]:
    """Return weight and, where `bias`, bias of the linear in a dense module's folder."""
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (out_features, in_features)}
    if bias:
        shapes["linear.bias"] = (out_features,)
    with Checkpoint(folder) as checkpoint:
        tensors = {name: checkpoint.tensor(name) for name in shapes}
    for name, tensor in tensors.items():
        _check_shape(folder, name, tensor, shapes[name])
    return list(tensors.values())


def _canonical(checkpoint: Checkpoint, family: Family, name: str, shape: tuple[int, ...]) -> Floats:
    module, _, kind = name.rpartition(".")
    layer = module.split(".")[1] if module.startswith("layers.") else ""
    key = module.replace(f"layers.{layer}.", "layers.{i}.") if layer else module
    sources = [source.replace("{i}", layer) for source in family.modules[key]]
    part = (shape[0] // len(sources), *shape[1:])
    tensors = []
    for source in sources:
        stored = _stored_name(checkpoint, family.prefix, source, kind)
        tensors.append(checkpoint.tensor(stored))
        _check_shape(checkpoint.folder, stored, tensors[-1], part)
    return tensors[0] if len(tensors) == 1 else np.concatenate(tensors)


def _stored_name(checkpoint: Checkpoint, prefix: str, module: str, kind: str) -> str:
    kinds = (kind, _OLD_NAMES[kind])
    spellings = [f"{start}{module}.{end}" for start in ("", prefix) for end in kinds]
    return next((name for name in spellings if name in checkpoint), spellings[0])


def _check_shape(folder: Path, name: str, tensor: Floats, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise ModelError(
            f"{folder}: tensor {name!r} must have shape {shape} to match config.json, "
            f"got {tensor.shape}"
        )
    if not np.isfinite(tensor).all():
        raise ModelError(f"{folder}: tensor {name!r} holds nan or infinity; the file is damaged")


def _files_of(folder: Path) -> list[Path]:
    if (folder / _SINGLE).exists():
        return [folder / _SINGLE]
    if (folder / _INDEX).exists():
        return _shards(folder)
    if (folder / _PICKLE).exists():
        raise ModelError(
            f"{folder} holds only {_PICKLE}, a pickle, which could run code when opened. Convert "
            f"it to {_SINGLE} where torch and safetensors are installed: python -c {_CONVERT!r}"
        )
    raise ModelError(f"{folder / _SINGLE} is missing (nor is there {_INDEX})")


def _shards(folder: Path) -> list[Path]:
    index = Config.read(folder / _INDEX)
    weight_map = index.raw("weight_map")
    names: list[Any] = list(weight_map.values()) if isinstance(weight_map, dict) else [None]
    for name in names:
        # A plain file name: an index cannot point outside its own folder.
        if not isinstance(name, str) or Path(name).name != name:
            raise ModelError(
                f"{index.path}: 'weight_map' must map tensor names to file names, got {name!r}"
            )
    return [folder / name for name in sorted(set(names))]


def _bfloat16(path: Path, name: str) -> Floats:
    """Read a bfloat16 tensor: the upper half of a float32's bits (numpy has no such dtype)."""
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(header_size))[name]
        begin, end = entry["data_offsets"]
        file.seek(8 + header_size + begin)
        halves = np.frombuffer(file.read(end - begin), dtype="<u2")
    bits = halves.astype(np.uint32) << np.uint32(16)
    return bits.view(np.float32).reshape(entry["shape"])
