"""Texts with their ids, one at a time, from lines, JSON records or a BEIR folder."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from fewbits.errors import FormatError, InputError
from fewbits.evaluate.textlines import existing, read_lines, read_objects

Item: TypeAlias = "tuple[str | None, str]"
"""An id, or None where the source has none, and a text."""

_STDIN = "-"
_RECORDS = (".jsonl", ".jsonl.gz")
_LINES = (".txt", ".txt.gz")


@contextmanager
def text_file(source: str) -> Iterator[Path]:
    """Yield the file that SOURCE means; standard input is put into a temporary one.

    Texts are read twice, to count them and to encode them, and never held all at once.

    Raises:
        InputError: there is no such file, or its name does not say what it holds.
    """
    if source == _STDIN:
        with tempfile.NamedTemporaryFile(prefix="fewbits-", suffix=".txt") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.flush()
            yield Path(file.name)
        return
    path = Path(source)
    if path.is_dir():
        found = existing(path, "corpus.jsonl")
        if found is None:
            raise InputError(f"{path} is a folder without corpus.jsonl[.gz]; give a file of texts")
        path = found
    if not path.name.endswith(_RECORDS + _LINES):
        raise InputError(
            f"texts must be a .txt or .jsonl file (also .gz), a folder with corpus.jsonl, or - for "
            f"standard input, got {source!r}"
        )
    yield path


def read_texts(path: Path, field: str = "text") -> Iterator[Item]:
    """Yield (id, text): row i is line i of a .txt file, blank ones included up to the last text.

    Raises:
        FormatError: a damaged file, a record without the field, or ids on some records only.
        InputError: there is no such file.
    """
    return _records(path, field) if path.name.endswith(_RECORDS) else _lines(path)


def batched(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last one may be shorter."""
    while chunk := list(islice(items, size)):
        yield chunk


def _lines(path: Path) -> Iterator[Item]:
    row = 0
    for number, line in read_lines(path):
        while row < number - 1:  # blank lines, which read_lines passes over
            yield None, ""
            row += 1
        yield None, line
        row += 1


def _records(path: Path, field: str) -> Iterator[Item]:
    named: bool | None = None
    for number, record in read_objects(path):
        where = f"{path}, line {number}"
        name = record_id(record, where)
        if named is not None and named != (name is not None):
            raise FormatError(f'{where}: either all records have an "_id" or "id", or none has')
        named = name is not None
        yield name, _text(record, field, where)


def record_id(record: dict[str, Any], where: str) -> str | None:
    """Return "_id" or "id" of a record as a string, or None if it has neither."""
    value = record.get("_id", record.get("id"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise FormatError(f'{where}: "_id" must be a string or an integer, got {value!r:.80}')
    return str(value)


def _text(record: dict[str, Any], field: str, where: str) -> str:
    text = record.get(field)
    if not isinstance(text, str):
        raise FormatError(
            f"{where}: {field!r} must be a string, got {text!r:.80}; --field names the one to take"
        )
    title = record.get("title") if field == "text" else None
    # As in fewbits.evaluate: title, space, text.
    return f"{title} {text}".strip() if isinstance(title, str) and title else text
