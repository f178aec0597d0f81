"""The files of a model folder that a quantized copy carries along as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from fewbits.errors import FormatError
from fewbits.models.about import Origin
from fewbits.models.outline import Outline
from fewbits.models.tokenizer import CONFIGS
from fewbits.storage import header
from fewbits.storage.atomic import storage_error

_AT_THE_TOP = ("modules.json", "config_sentence_transformers.json")
_OF_THE_TRANSFORMER = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", *CONFIGS,
)  # fmt: skip
_BLOCK = 1 << 20  # bytes hashed at a time


def read_companions(outline: Outline) -> dict[str, bytes]:
    """Return relative path, with / -> content, of what describes the model and its tokenizer.

    Weights, and vocabularies that tokenizer.json repeats, are left out.

    Raises:
        StorageError: the system refused to read one.
    """
    places = [(outline.folder, _AT_THE_TOP), (outline.parts.transformer, _OF_THE_TRANSFORMER)]
    places += [(folder, ("config.json",)) for folder in outline.parts.modules]
    paths = [folder / name for folder, names in places for name in names]
    return {
        path.relative_to(outline.folder).as_posix(): _read(path) for path in paths if path.is_file()
    }


def checksums(companions: Mapping[str, bytes]) -> dict[str, tuple[int, str]]:
    """Return (bytes, CRC-32) of every file."""
    return {name: (len(raw), header.crc([raw])) for name, raw in companions.items()}


def check_companions(folder: Path, expected: Mapping[str, tuple[int, str]]) -> None:
    """Compare the files of a folder with what was written.

    Raises:
        FormatError: one is missing or differs.
        StorageError: the system refused to read one.
    """
    for name, (size, crc) in expected.items():
        path = folder / name
        if not path.is_file():
            raise FormatError(f"{path} is missing; copy the whole model folder again")
        raw = _read(path)
        if (len(raw), header.crc([raw])) != (size, crc):
            raise FormatError(
                f"{path} has {len(raw)} bytes of checksum {header.crc([raw])}, {size} of {crc} "
                "were written; copy it again, or quantize the changed model"
            )


def origin_of(outline: Outline, name: str) -> Origin:
    """Return the name and the SHA-256 of every weight file of an original model folder.

    Raises:
        StorageError: the system refused to read one.
    """
    places = (outline.parts.transformer, *outline.parts.dense)
    paths = sorted({path for folder in places for path in folder.glob("model*.safetensors")})
    hashes = {path.relative_to(outline.folder).as_posix(): _sha256(path) for path in paths}
    return Origin(name, hashes)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise storage_error(f"cannot read {path}", error, "nothing was changed") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise storage_error(f"cannot read {path}", error, "nothing was changed") from error
    return digest.hexdigest()
