"""manifest.json: which files make up the index, and in which generation."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as brief  # what is quoted may come from a hostile file
from typing import Any

from fewbits.errors import FormatError, InputError
from fewbits.storage import canonical, header
from fewbits.storage.atomic import storage_error
from fewbits.storage.container import Stamp

NAME = "manifest.json"
FORMAT = "fewbits-index"
VERSION = 1
MAX_BYTES = 16 << 20  # about 100,000 files

_KEYS = ["checksum", "files", "format", "generation", "params", "version"]
_FILE = re.compile(r"([a-z]{1,32})-([1-9][0-9]{0,17})-[0-9a-f]{16}\.safetensors")


@dataclass(frozen=True)
class Manifest:
    """One generation of an index: its params, and the (kind, stamp) of every file, in order."""

    generation: int
    params: dict[str, Any]
    files: tuple[tuple[str, Stamp], ...]


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of manifest.json.

    Raises:
        InputError: params that JSON does not hold, or more than 16 MiB in all.
    """
    body: dict[str, Any] = {
        "files": [
            {"header": stamp.header, "kind": kind, "name": stamp.name, "size": stamp.size}
            for kind, stamp in manifest.files
        ],
        "format": FORMAT,
        "generation": manifest.generation,
        "params": canonical.checked(manifest.params, "params"),
        "version": VERSION,
    }
    raw = canonical.dumps({**body, "checksum": header.crc([canonical.dumps(body)])})
    if len(raw) > MAX_BYTES:
        raise InputError(
            f"params and the list of files need {len(raw)} bytes, at most {MAX_BYTES} fit; "
            "compact the index, or store what is large as a tensor"
        )
    return raw


def decode(raw: bytes) -> Manifest:
    """Parse what `encode` wrote.

    Raises:
        FormatError: anything else.
    """
    if len(raw) > MAX_BYTES:
        raise FormatError(f"is longer than {MAX_BYTES} bytes")
    body = canonical.loads(raw)
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise FormatError(f"is not of the format {FORMAT!r}")
    checksum = body.pop("checksum", None)
    if checksum != header.crc([canonical.dumps(body)]):
        raise FormatError("checksum differs; the file is damaged")
    header.check_version(body.get("version"), VERSION)
    if sorted([*body, "checksum"]) != _KEYS:
        raise FormatError(f"must have the keys {_KEYS}, got {brief(sorted(body))}")
    if not _is_count(body["generation"]) or not isinstance(body["params"], dict):
        raise FormatError("generation must be an integer >= 1 and params an object")
    if not isinstance(body["files"], list):
        raise FormatError("files must be a list")
    files = tuple(_decode_file(entry) for entry in body["files"])
    if len({stamp.name for _, stamp in files}) != len(files):
        raise FormatError("lists a file twice")
    return Manifest(body["generation"], body["params"], files)


def load(folder: Path) -> tuple[bytes, Manifest]:
    """Return the bytes and the content of the manifest in `folder`.

    Raises:
        FormatError: it is damaged or foreign.
        StorageError: it is missing (errno ENOENT) or the system refused to read it.
    """
    path = folder / NAME
    try:
        with path.open("rb") as file:
            # read(n) takes n bytes of memory first, so ask for what is there.
            raw = file.read(min(os.fstat(file.fileno()).st_size, MAX_BYTES) + 1)
    except OSError as error:
        raise storage_error(
            f"no index can be opened at {path}", error, "nothing was read"
        ) from error
    try:
        return raw, decode(raw)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def generation_in(name: str) -> int | None:
    """Return the generation in the name of one of our container files, None for other names."""
    match = _FILE.fullmatch(name)
    return int(match[2]) if match else None


def _decode_file(entry: object) -> tuple[str, Stamp]:
    if not isinstance(entry, dict) or sorted(entry) != ["header", "kind", "name", "size"]:
        raise FormatError("every file must have header, kind, name and size")
    name, kind, size, digest = entry["name"], entry["kind"], entry["size"], entry["header"]
    # The pattern has no separator, so a name never leads out of the folder.
    match = _FILE.fullmatch(name) if isinstance(name, str) else None
    if match is None or match[1] != kind:
        raise FormatError(
            f"lists {brief(name)} as {brief(kind)}, which is no name that fewbits gives"
        )
    if not _is_count(size) or not header.is_crc(digest):
        raise FormatError(f"lists {name!r} with an impossible size or checksum")
    return kind, Stamp(name, size, digest)


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value < 2**63
