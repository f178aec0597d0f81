"""Files of ids: one per line as text, one per line as JSON, or integers in .npy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.cli.texts import record_id
from fewbits.errors import FormatError, InputError
from fewbits.evaluate.textlines import read_lines


def ids_beside(vectors: Path) -> Path:
    """Return where the ids of x.npy lie: x.ids.jsonl."""
    if not vectors.name:
        raise InputError(f"{vectors} is a folder; name a .npy file")
    return vectors.with_name(f"{vectors.name.removesuffix('.npy')}.ids.jsonl")


def read_ids(path: Path) -> Sequence[Any] | NDArray[Any]:
    """Return ids from .npy (integers), .jsonl (values, or records with an id), or lines of text.

    Raises:
        FormatError: a line that is not an id.
        InputError: there is no such file.
    """
    if path.suffix == ".npy":
        return _array(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return list(_values(path))
    return [line for _, line in read_lines(path)]


def as_kind(ids: Sequence[Any] | NDArray[Any], example: object) -> list[Any]:
    """Return ids as the kind that the index has: integers where `example` is one, else strings.

    Raises:
        InputError: text that is not a number, for an index with integer ids.
    """
    if isinstance(ids, np.ndarray) and (ids.ndim != 1 or ids.dtype.kind not in "iu"):
        raise InputError(f"ids must be one-dimensional integers, got {ids.dtype} {ids.shape}")
    if not isinstance(example, int):
        return [str(value) for value in ids]
    try:
        return [int(value) for value in ids]
    except ValueError as error:
        raise InputError(
            f"this index has integer ids, but the filter holds another: {error}"
        ) from error


def id_lines(ids: Iterable[str]) -> Iterator[bytes]:
    """Yield one JSON string per line."""
    for value in ids:
        yield json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _array(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path} is not a readable file: {error.strerror}") from error
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path} is not a complete .npy file of integers: {error}") from error
    if not isinstance(values, np.ndarray):
        raise FormatError(f"{path} is an .npz archive; save one array with numpy.save")
    return values


def _values(path: Path) -> Iterator[Any]:
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{where}: not valid JSON ({error})") from error
        if isinstance(value, dict):
            value = record_id(value, where)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise FormatError(f"{where}: an id must be a string or an integer, got {value!r:.80}")
        yield value
