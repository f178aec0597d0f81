"""The header of a container: which array lies where, and the checksums of everything.

docs/format.md describes the bytes. A content has one layout and one spelling, so a reader computes
what a header must say and compares.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as brief  # what is quoted may come from a hostile file
from typing import Any

from fewbits.errors import FormatError, InputError
from fewbits.storage import canonical

FORMAT = "fewbits"
VERSION = 1
MAX_HEADER = 1 << 20  # bytes of JSON; what grows with the data belongs into tensors
MAX_NDIM = 8
ALIGN = {"model": 64}
"""Kind -> bytes to which its data, and arrays of a multiple of that many bytes, are aligned."""

DTYPES = {  # name in the file -> numpy's code; the digit is the size of an item in bytes
    "BOOL": "b1", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "F16": "f2",
    "I32": "i4", "U32": "u4", "F32": "f4", "I64": "i8", "U64": "u8", "F64": "f8",
}  # fmt: skip

_TENSOR = re.compile(r"(?!__metadata__$)[A-Za-z0-9_.-]{1,128}")
CRC = re.compile(r"[0-9a-f]{8}")
_KIND = re.compile(r"[a-z]{1,32}")
_KEYS = ["checksums", "format", "header", "kind", "params", "version"]
# Keys are sorted, so this ends just before the header's own checksum. It cannot occur earlier:
# what comes before holds tensor names and eight-digit checksums only.
_MARK = rb"\"format\":\"fewbits\",\"header\":\""
_ZEROS = b"00000000"


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies: [begin, end) in bytes from the start of the data section."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def layout(shapes: Mapping[str, tuple[str, tuple[int, ...]]], kind: str) -> dict[str, Slot]:
    """Lay out arrays, name -> (dtype, shape), without holes, in the order they are stored.

    Wide items come first, so that every array is aligned to its item size; then by name. Where
    `ALIGN` has the kind, arrays of a multiple of so many bytes come before all others.
    """

    def place(name: str) -> tuple[bool, int, str]:
        size = _itemsize(shapes[name][0])
        odd = kind in ALIGN and math.prod(shapes[name][1]) * size % ALIGN[kind] != 0
        return odd, -size, name

    slots, begin = {}, 0
    for name in sorted(shapes, key=place):
        dtype, shape = shapes[name]
        end = begin + math.prod(shape) * _itemsize(dtype)
        slots[name] = Slot(dtype, shape, begin, end)
        begin = end
    return slots


def data_size(slots: Mapping[str, Slot]) -> int:
    """Return the bytes of the data section that `slots` describe."""
    return max((slot.end for slot in slots.values()), default=0)


def crc(pieces: Iterable[bytes | memoryview]) -> str:
    """Return the CRC-32 (IEEE 802.3, as in zlib) of all pieces, as 8 lowercase hex digits."""
    value = 0
    for piece in pieces:
        value = zlib.crc32(piece, value)
    return f"{value:08x}"


def is_crc(value: object) -> bool:
    """Whether `value` is spelled as `crc` spells checksums."""
    return isinstance(value, str) and CRC.fullmatch(value) is not None


def is_kind(kind: str) -> bool:
    """Whether `kind` may name what a file holds: 1 to 32 lowercase letters."""
    return _KIND.fullmatch(kind) is not None


def is_tensor_name(name: str) -> bool:
    """Whether `name` may name a tensor: 1 to 128 of A-Z a-z 0-9 _ . - (not __metadata__)."""
    return _TENSOR.fullmatch(name) is not None


def encode(
    slots: Mapping[str, Slot], checksums: Mapping[str, str], kind: str, params: Mapping[str, Any]
) -> tuple[bytes, str]:
    """Return the header's bytes (length included) and its checksum.

    Raises:
        InputError: params that JSON does not hold, or that need more than 1 MiB.
    """
    meta = {
        "checksums": dict(checksums),
        "format": FORMAT,
        "header": _ZEROS.decode(),
        "kind": kind,
        "params": canonical.checked(dict(params), "params"),
        "version": VERSION,
    }
    outer: dict[str, Any] = {name: _as_json(slot) for name, slot in slots.items()}
    outer["__metadata__"] = {FORMAT: canonical.dumps(meta).decode()}
    text = canonical.dumps(outer)
    text += b" " * _padding(len(text), kind)
    if len(text) > MAX_HEADER:
        raise InputError(
            f"params and names need {len(text)} bytes of header, at most {MAX_HEADER} fit; "
            "store what is large as a tensor"
        )
    raw = struct.pack("<Q", len(text)) + text
    digest = crc([raw])
    return raw.replace(_MARK + _ZEROS, _MARK + digest.encode(), 1), digest


def checked_digest(raw: bytes) -> str:
    """Compare the header's bytes with the checksum inside them and return it.

    Raises:
        FormatError: there is none, or it differs.
    """
    at = raw.find(_MARK)
    if at < 0:
        raise FormatError("has no fewbits metadata; fewbits did not write it, or it is damaged")
    at += len(_MARK)
    digest = crc([raw[:at], _ZEROS, raw[at + 8 :]])
    if raw[at : at + 8] != digest.encode():
        raise FormatError("checksum of the header differs; the file is damaged")
    return digest


def decode(raw: bytes, kind: str) -> tuple[dict[str, Slot], dict[str, str], dict[str, Any]]:
    """Return (slots, checksums, params) of a header whose checksum has been compared.

    Raises:
        FormatError: anything that `encode` would have written otherwise, or another kind.
    """
    text = raw[8:].rstrip(b" ")
    outer = canonical.loads(text)
    if not isinstance(outer, dict):
        raise FormatError("header is not a JSON object")
    meta = _decode_meta(outer.pop("__metadata__", None))
    if meta["kind"] != kind:
        raise FormatError(f"holds the kind {brief(meta['kind'])}, expected {kind!r}")
    if len(raw) != 8 + len(text) + _padding(len(text), kind):
        raise FormatError(f"header is not padded to a multiple of {ALIGN.get(kind, 8)} bytes")
    if set(outer) != set(meta["checksums"]):
        raise FormatError("tensors and checksums do not name the same arrays")
    slots = layout({name: _decode_shape(name, entry) for name, entry in outer.items()}, kind)
    for name, slot in slots.items():
        if outer[name] != _as_json(slot):
            raise FormatError(
                f"tensor {brief(name)} lies at {brief(outer[name]['data_offsets'])}, expected "
                f"{[slot.begin, slot.end]}; holes, overlaps and other orders are not allowed"
            )
    return slots, meta["checksums"], meta["params"]


def _itemsize(dtype: str) -> int:
    return int(DTYPES[dtype][1])


def _padding(length: int, kind: str) -> int:
    return -(8 + length) % ALIGN.get(kind, 8)


def _as_json(slot: Slot) -> dict[str, Any]:
    return {
        "data_offsets": [slot.begin, slot.end],
        "dtype": slot.dtype,
        "shape": list(slot.shape),
    }


def _decode_meta(holder: object) -> dict[str, Any]:
    text = holder.get(FORMAT) if isinstance(holder, dict) and len(holder) == 1 else None
    if not isinstance(text, str):
        raise FormatError(f"__metadata__ must hold the one key {FORMAT!r} with a string")
    meta = canonical.loads(text.encode())
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise FormatError(f"metadata is not of the format {FORMAT!r}")
    check_version(meta.get("version"), VERSION)
    if sorted(meta) != _KEYS:
        raise FormatError(f"metadata must have the keys {_KEYS}, got {brief(sorted(meta))}")
    if not isinstance(meta["params"], dict) or not _are_checksums(meta["checksums"]):
        raise FormatError("params and checksums must be JSON objects, the latter of 8 hex digits")
    return meta


def check_version(version: object, known: int) -> None:
    """Refuse any version but `known`, saying which way out there is."""
    if type(version) is not int or version != known:
        raise FormatError(
            f"has format version {brief(version)}, this fewbits reads {known}; "
            "open it with the fewbits release that wrote it, or a newer one"
        )


def _decode_shape(name: str, entry: object) -> tuple[str, tuple[int, ...]]:
    if not is_tensor_name(name):
        raise FormatError(f"tensor name {brief(name)} is not allowed")
    if not isinstance(entry, dict) or sorted(entry) != ["data_offsets", "dtype", "shape"]:
        raise FormatError(f"tensor {brief(name)} must have data_offsets, dtype and shape")
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FormatError(f"tensor {brief(name)} has the unknown dtype {brief(dtype)}")
    if not _are_sizes(shape) or len(shape) > MAX_NDIM:
        raise FormatError(
            f"tensor {brief(name)} has an impossible shape; at most {MAX_NDIM} axes >= 0"
        )
    if not _are_sizes(entry["data_offsets"]):
        raise FormatError(f"tensor {brief(name)} has offsets that are no list of integers >= 0")
    # The other axes of an empty array count too: numpy multiplies them all the same.
    if math.prod(axis for axis in shape if axis) * _itemsize(dtype) >= 2**63:
        raise FormatError(f"tensor {brief(name)} has the shape {shape}, which overflows 64 bits")
    return dtype, tuple(shape)


def _are_checksums(value: object) -> bool:
    return isinstance(value, dict) and all(is_crc(item) for item in value.values())


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
