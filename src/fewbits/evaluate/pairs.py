"""Sentence pairs with a similarity that people gave: tab-separated files with a header line.

sentence1 <tab> sentence2 <tab> score [<tab> split]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from fewbits.errors import FormatError, InputError
from fewbits.evaluate.textlines import existing, read_lines

_COLUMNS = ("sentence1", "sentence2", "score")


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs: `scores[i]` is what people gave to `left[i]` and `right[i]`."""

    name: str
    left: list[str]
    right: list[str]
    scores: list[float]


def read_pairs(path: str | Path, *, split: str | None = "test") -> Pairs:
    """Read a file of pairs, or `pairs.tsv` of a folder.

    Args:
        path: the file (it may end in .gz) or folder.
        split: keep the rows of this split, where the file has such a column; None keeps all.

    Raises:
        InputError: no such file, or fewer than two rows of that split.
        FormatError: a missing or repeated column, a row of another number of columns, or a score
            that is not a number, with its line.
    """
    file = _file(Path(path))
    pairs = Pairs(file.parent.name, [], [], [])
    header: list[str] = []
    for number, line in read_lines(file):
        fields = line.split("\t")
        if not header:
            header = _header(fields, file)
            continue
        if len(fields) != len(header):
            raise FormatError(
                f"{file}, line {number}: {len(header)} columns are needed, got {len(fields)}"
            )
        row = dict(zip(header, fields, strict=True))
        if split is not None and row.get("split", split) != split:
            continue
        pairs.left.append(row["sentence1"])
        pairs.right.append(row["sentence2"])
        pairs.scores.append(_score(row["score"], f"{file}, line {number}"))
    if len(pairs.scores) < 2:
        of = "" if split is None else f" of split {split!r}"
        raise InputError(f"{file} holds {len(pairs.scores)} pairs{of}; 2 are needed")
    return pairs


def _file(path: Path) -> Path:
    found = existing(path, "pairs.tsv") if path.is_dir() else path
    if found is None or not found.is_file():
        raise InputError(
            f"pairs must be a .tsv file, or a folder with pairs.tsv, got {str(path)!r}"
        )
    return found


def _header(fields: list[str], file: Path) -> list[str]:
    missing = [name for name in _COLUMNS if name not in fields]
    if missing:
        raise FormatError(
            f"{file}, line 1: the header must name {', '.join(_COLUMNS)}; "
            f"{', '.join(missing)} is missing"
        )
    twice = sorted({name for name in fields if fields.count(name) > 1})
    if twice:
        raise FormatError(f"{file}, line 1: the header names {', '.join(twice)} twice")
    return fields


def _score(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FormatError(f"{where}: score must be a number, got {text!r:.40}")
    return value
