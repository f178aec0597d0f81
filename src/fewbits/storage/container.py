"""One file of named arrays: a safetensors file in which a check covers every byte.

docs/format.md describes the bytes; header.py holds the layout and the checks of the header.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import FormatError, InputError
from fewbits.storage import header
from fewbits.storage.atomic import storage_error, sync_folder, write_file

Array: TypeAlias = NDArray[Any]

_NAMES = {code: name for name, code in header.DTYPES.items()}
_BLOCK = 8 << 20  # bytes copied at a time when an array is not stored as it lies in memory


@dataclass(frozen=True)
class Stamp:
    """What identifies a file's content: its name, its size in bytes, its header's CRC-32 (hex).

    The header holds the CRC-32 of every tensor, so the stamp covers the whole file.
    """

    name: str
    size: int
    header: str


@dataclass(frozen=True, eq=False)
class Contents:
    """Read-only memory-mapped arrays by name, and the JSON params stored with them."""

    tensors: dict[str, Array]
    params: dict[str, Any]


def write(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Array],
    *,
    kind: str,
    params: Mapping[str, Any],
) -> Stamp:
    """Write `tensors` and `params` to `path`, replacing atomically what is there.

    The data is not copied in memory, and it may be memory-mapped from the very file that is being
    replaced. The same input gives the same bytes.

    Args:
        path: the file; its folder must exist.
        tensors: name -> array of a dtype in `header.DTYPES`, any strides and byte order, at most
            8 axes. Names: 1 to 128 of A-Z a-z 0-9 _ . -
        kind: what the file holds, 1 to 32 lowercase letters; `read` asks for it again.
        params: JSON values (None, bool, int, finite float, str, list, dict).

    Raises:
        InputError: a name, dtype, kind or param that the format does not hold.
        StorageError: the system refused. Either what was at `path` is unchanged, or the message
            says that the new file is in place but not confirmed to be on disk.
    """
    path = Path(path)
    if not header.is_kind(kind):
        raise InputError(f"kind must be 1 to 32 lowercase letters, got {kind!r}")
    slots = header.layout({name: _describe(name, array) for name, array in tensors.items()}, kind)
    checksums = {name: header.crc(_bytes_of(tensors[name])) for name in slots}
    head, digest = header.encode(slots, checksums, kind, params)

    def pieces() -> Iterator[bytes | memoryview]:
        yield head
        for name in slots:
            yield from _bytes_of(tensors[name])

    write_file(path, pieces())
    sync_folder(path.parent)
    return Stamp(path.name, len(head) + header.data_size(slots), digest)


def read(
    path: str | os.PathLike[str], *, kind: str, verify: bool = True, stamp: Stamp | None = None
) -> Contents:
    """Check the file at `path` and return its arrays as read-only views into it.

    Nothing is allocated on the file's word: arrays are memory-mapped, and a header beyond 1 MiB is
    refused.

    Args:
        path: the file.
        kind: what the file must hold.
        verify: also compare the checksum of every tensor, which reads all the data once. Without
            it the header, its checksum and all offsets are checked, the data is not looked at.
        stamp: what `write` returned, if the very same content is expected.

    Raises:
        FormatError: any defect; the message names the file and the defect.
        StorageError: the file is missing (errno ENOENT) or the system refused to open it.
    """
    path = Path(path)
    buffer = _map(path)
    try:
        raw = _header_bytes(buffer)
        digest = header.checked_digest(raw)
        if stamp is not None:
            _check_stamp(stamp, len(buffer), digest)
        slots, checksums, params = header.decode(raw, kind)
        if len(raw) + header.data_size(slots) != len(buffer):
            raise FormatError(
                f"has {len(buffer) - len(raw)} bytes of data, its header describes "
                f"{header.data_size(slots)}; the file is truncated or has trailing bytes"
            )
        tensors = {name: _view(buffer, len(raw), slot) for name, slot in slots.items()}
        if verify:
            for name, tensor in tensors.items():
                _verify(name, tensor, checksums[name])
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    return Contents(tensors, params)


def _describe(name: str, tensor: Array) -> tuple[str, tuple[int, ...]]:
    if not header.is_tensor_name(name):
        raise InputError(f"a tensor name must be 1 to 128 of A-Z a-z 0-9 _ . -, got {name!r}")
    if not isinstance(tensor, np.ndarray) or tensor.dtype.str[1:] not in _NAMES:
        known, got = ", ".join(header.DTYPES), getattr(tensor, "dtype", type(tensor).__name__)
        raise InputError(f"tensor {name!r} must be an array of {known}, got {got}")
    if tensor.ndim > header.MAX_NDIM:
        raise InputError(
            f"tensor {name!r} must have at most {header.MAX_NDIM} axes, got {tensor.ndim}"
        )
    return _NAMES[tensor.dtype.str[1:]], tensor.shape


def _bytes_of(tensor: Array) -> Iterator[memoryview]:
    """Yield the C-order, little-endian bytes; an array that lies so already is not copied."""
    if tensor.size == 0:
        return
    stored = tensor.dtype.newbyteorder("<")
    if tensor.flags.c_contiguous and tensor.dtype == stored:
        yield tensor.reshape(-1).view(np.uint8).data
        return
    rows = np.atleast_1d(tensor)
    step = max(1, _BLOCK * len(rows) // tensor.nbytes)
    for start in range(0, len(rows), step):
        block = np.ascontiguousarray(rows[start : start + step], dtype=stored)
        yield block.reshape(-1).view(np.uint8).data


def _map(path: Path) -> mmap.mmap | bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""  # cannot be mapped; it fails the first check just as well
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise storage_error(f"cannot open {path}", error, "nothing was read") from error


def _header_bytes(buffer: mmap.mmap | bytes) -> bytes:
    size = len(buffer)
    if size < 8:
        raise FormatError(f"has {size} bytes, too few for a header; the file is truncated")
    (length,) = struct.unpack_from("<Q", buffer)
    if length > header.MAX_HEADER:
        raise FormatError(f"claims a header of {length} bytes, at most {header.MAX_HEADER} fit")
    if length > size - 8:
        raise FormatError(
            f"claims a header of {length} bytes but {size - 8} follow; the file is truncated"
        )
    return buffer[: 8 + length]


def _check_stamp(stamp: Stamp, size: int, digest: str) -> None:
    if size != stamp.size:
        raise FormatError(f"has {size} bytes, {stamp.size} were written; the file is damaged")
    if digest != stamp.header:
        raise FormatError(
            f"has the header checksum {digest}, {stamp.header} was written; "
            "another file took its place"
        )


def _view(buffer: mmap.mmap | bytes, start: int, slot: header.Slot) -> Array:
    """Return the array at `slot`, which lies inside the buffer; the data begins at `start`."""
    stored = np.dtype("<" + header.DTYPES[slot.dtype])
    count = math.prod(slot.shape)
    source, offset = (buffer, start + slot.begin) if count else (b"", 0)
    return np.frombuffer(source, dtype=stored, count=count, offset=offset).reshape(slot.shape)


def _verify(name: str, tensor: Array, checksum: str) -> None:
    if checksum != header.crc(_bytes_of(tensor)):
        raise FormatError(f"checksum of {name!r} differs; the file is damaged")
    # numpy treats a bool byte other than 0 and 1 in ways that differ from call to call.
    if tensor.dtype == np.bool_ and tensor.size and tensor.view(np.uint8).max() > 1:
        raise FormatError(f"bool tensor {name!r} holds a byte that is neither 0 nor 1")
