"""A .npy file written block by block: it appears whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from fewbits.arrays import Floats
from fewbits.errors import FormatError
from fewbits.storage.atomic import write_file


def write_vectors(path: Path, shape: tuple[int, int], blocks: Iterable[Floats]) -> None:
    """Write float32 blocks that make up an array of `shape`, (n, d), as one .npy file.

    Plain writes, not a memory map: on a full disk these fail with an error, a map with SIGBUS.

    Raises:
        FormatError: the blocks have more or fewer rows than announced; nothing is written.
        StorageError: the system refused; what was at `path` is unchanged.
    """
    write_file(path, _pieces(shape, blocks))


def _pieces(shape: tuple[int, int], blocks: Iterable[Floats]) -> Iterator[bytes | memoryview]:
    header = io.BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, about)
    yield header.getvalue()
    rows = 0
    for block in blocks:
        rows += len(block)
        yield np.ascontiguousarray(block, dtype="<f4").tobytes()
    if rows != shape[0]:
        raise FormatError(f"the texts changed while being read: {shape[0]} at first, then {rows}")
