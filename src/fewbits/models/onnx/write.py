"""A finished graph to a file that appears whole or not at all, weights beside it where they must.

A protobuf message ends at 2 GiB. Above that the weights go to a second file, named after a random
token, so that neither the model that was there nor the new one ever finds the other's weights.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from fewbits.models.onnx.graph import Graph, as_tensor
from fewbits.storage.atomic import storage_error, sync_folder, write_file

_INSIDE = 1_900_000_000  # bytes of weights that a model file may hold: room below 2 GiB for nodes
_KEPT = 1024  # bytes; shapes, axes and scalars stay in the model, where runtimes look for them
_ALIGN = 4096  # a page, so that weights can be mapped into memory


def write_model(graph: Graph, path: Path, facts: Mapping[str, str]) -> None:
    """Write `graph` to `path` with `facts` as its metadata.

    Raises:
        StorageError: the system refused; what was at `path` is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(f"cannot make {path.parent}", error, "nothing was written") from error
    total = sum(values.nbytes for values in graph.arrays.values())
    data = path.with_name(f"{path.name}_data_{secrets.token_hex(4)}") if total > _INSIDE else None
    if data:
        write_file(data, _laid_out(graph.arrays))
    tensors = _outside(graph.arrays, data.name) if data else _inside(graph.arrays)
    model = graph.model("fewbits", tensors)
    model.producer_name = "fewbits"
    helper.set_model_props(model, dict(facts))
    write_file(path, [model.SerializeToString()])
    sync_folder(path.parent)
    _remove_stale(path, data)


def _inside(arrays: Mapping[str, NDArray[Any]]) -> list[TensorProto]:
    return [as_tensor(name, values) for name, values in arrays.items()]


def _outside(arrays: Mapping[str, NDArray[Any]], file: str) -> list[TensorProto]:
    tensors, offset = [], 0
    for name, values in arrays.items():
        if values.nbytes < _KEPT:
            tensors.append(as_tensor(name, values))
            continue
        tensor = TensorProto(name=name, dims=values.shape, data_location=TensorProto.EXTERNAL)
        tensor.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
        place = {"location": file, "offset": str(offset), "length": str(values.nbytes)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
        offset += values.nbytes + _gap(values)
    return tensors


def _laid_out(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes]:
    for values in arrays.values():
        if values.nbytes >= _KEPT:
            little = values.astype(values.dtype.newbyteorder("<"), copy=False)
            yield np.ascontiguousarray(little).tobytes()
            yield bytes(_gap(values))


def _gap(values: NDArray[Any]) -> int:
    return -values.nbytes % _ALIGN


def _remove_stale(path: Path, data: Path | None) -> None:
    """Remove what earlier exports to `path` kept beside it."""
    name = re.compile(re.escape(path.name) + r"_data_[0-9a-f]{8}")
    for other in path.parent.iterdir():
        if name.fullmatch(other.name) and other != data:
            with contextlib.suppress(OSError):  # in use on Windows; the next export removes it
                other.unlink()
