"""fewbits.json: what a quantized model folder says about itself, and which files belong to it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as brief  # what is quoted may come from a hostile file
from typing import Any

import fewbits
from fewbits.errors import FewbitsError, FormatError
from fewbits.models.drift import Ends
from fewbits.models.recipe import Recipe
from fewbits.models.spec import EncoderSpec
from fewbits.storage import canonical, header
from fewbits.storage.atomic import storage_error
from fewbits.storage.container import Stamp

NAME = "fewbits.json"
FORMAT = "fewbits-model"
VERSION = 1
MAX_BYTES = 4 << 20

_KEYS = [
    "calibration", "checksum", "fewbits", "files", "format", "ranges", "recipe", "source", "spec",
    "tensors", "version",
]  # fmt: skip
TENSORS = re.compile(r"fewbits(-[0-9a-f]{16})?\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Origin:
    """Which model the numbers come from: its name, and weight file -> SHA-256 (hex)."""

    name: str
    weights: Mapping[str, str]


@dataclass(frozen=True)
class Calibration:
    """What static ranges were learned from.

    Attributes:
        tokens: tokens of the calibration texts.
        ends: static linear -> how its codes lay in their range then, see `fewbits.models.drift`.
    """

    tokens: int
    ends: Mapping[str, Ends] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """The content of fewbits.json.

    Attributes:
        spec: `spec_facts` of the model.
        recipe: what the tensors were made by.
        ranges: static linear -> (scale, zero_point).
        calibration: None where nothing was calibrated.
        origin: where the numbers come from.
        files: file of the folder, with / -> (bytes, CRC-32 in hex), the tensors' own left out.
        tensors: which container holds the tensors.
        written_by: version of fewbits.
    """

    spec: Mapping[str, Any]
    recipe: Recipe
    ranges: Mapping[str, tuple[float, int]]
    calibration: Calibration | None
    origin: Origin
    files: Mapping[str, tuple[int, str]]
    tensors: Stamp
    written_by: str = fewbits.__version__


def spec_facts(spec: EncoderSpec) -> dict[str, Any]:
    """Return a spec as plain data."""
    facts = dataclasses.asdict(spec)
    facts["stages"] = [
        {"stage": type(stage).__name__, **dataclasses.asdict(stage)} for stage in spec.stages
    ]
    plain: dict[str, Any] = json.loads(json.dumps(facts))  # tuples become lists
    return plain


def encode(about: About) -> bytes:
    """Return the bytes of fewbits.json: sorted, indented for people to read."""
    calibration = about.calibration and {
        "ends": {name: list(ends) for name, ends in about.calibration.ends.items()},
        "tokens": about.calibration.tokens,
    }
    body: dict[str, Any] = {
        "calibration": calibration,
        "fewbits": about.written_by,
        "files": {name: {"crc32": crc, "size": n} for name, (n, crc) in about.files.items()},
        "format": FORMAT,
        "ranges": {name: {"scale": s, "zero_point": z} for name, (s, z) in about.ranges.items()},
        "recipe": about.recipe.to_dict(),
        "source": {"name": about.origin.name, "sha256": dict(about.origin.weights)},
        "spec": dict(about.spec),
        "tensors": dataclasses.asdict(about.tensors),
        "version": VERSION,
    }
    body["checksum"] = header.crc([canonical.dumps(body, NAME)])
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def decode(raw: bytes) -> About:
    """Parse what `encode` wrote, in any spelling of the same JSON.

    Raises:
        FormatError: anything else, a newer version among it.
    """
    if len(raw) > MAX_BYTES:
        raise FormatError(f"is longer than {MAX_BYTES} bytes")
    body, _ = canonical.parse(raw)
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise FormatError(f"is not of the format {FORMAT!r}")
    checksum = body.pop("checksum", None)
    if checksum != header.crc([canonical.dumps(body)]):
        raise FormatError("checksum differs; the file was changed or is damaged")
    header.check_version(body.get("version"), VERSION)
    if sorted([*body, "checksum"]) != _KEYS:
        raise FormatError(f"must have the keys {', '.join(_KEYS)}, got {brief(sorted(body))}")
    try:
        return _decode(body)
    except (TypeError, ValueError, KeyError, AttributeError, FewbitsError) as error:
        raise FormatError(f"has an entry of the wrong kind ({error})") from error


def load(folder: Path) -> tuple[bytes, About]:
    """Return the bytes and the content of fewbits.json in `folder`.

    Raises:
        FormatError: it is damaged, foreign or of another version.
        StorageError: the system refused to read it.
    """
    path = folder / NAME
    try:
        with path.open("rb") as file:
            # read(n) takes n bytes of memory first, so ask for what is there.
            raw = file.read(min(os.fstat(file.fileno()).st_size, MAX_BYTES) + 1)
    except OSError as error:
        raise storage_error(f"cannot read {path}", error, "nothing was loaded") from error
    try:
        return raw, decode(raw)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _decode(body: Mapping[str, Any]) -> About:
    ranges = {
        name: (_number(entry["scale"]), _count(entry["zero_point"]))
        for name, entry in body["ranges"].items()
    }
    source = body["source"]
    files = {
        _inside(name): (_count(entry["size"]), _matching(header.CRC, entry["crc32"]))
        for name, entry in body["files"].items()
    }
    tensors = body["tensors"]
    stamp = Stamp(
        _matching(TENSORS, tensors["name"]),
        _count(tensors["size"]),
        _matching(header.CRC, tensors["header"]),
    )
    return About(
        dict(body["spec"]),
        Recipe.from_dict(body["recipe"]),
        ranges,
        _calibration(body["calibration"]),
        Origin(
            str(source["name"]),
            {str(name): _matching(_SHA256, digest) for name, digest in source["sha256"].items()},
        ),
        files,
        stamp,
        str(body["fewbits"]),
    )


def _calibration(entry: Mapping[str, Any] | None) -> Calibration | None:
    if entry is None:
        return None
    ends = {name: Ends(*map(_count, counts)) for name, counts in entry["ends"].items()}
    return Calibration(_count(entry["tokens"]), ends)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"a count must be an integer >= 0, got {brief(value)}")
    return value


def _number(value: object) -> float:
    if type(value) is not float and type(value) is not int:
        raise ValueError(f"a scale must be a number, got {brief(value)}")
    return float(value)


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(f"{brief(value)} is not spelled like {pattern.pattern}")
    return value


def _inside(name: str) -> str:
    """A file of the folder: relative, with /, never leading out of it."""
    if not name or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"{brief(name)} is no file inside the folder")
    return name
