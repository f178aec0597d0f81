"""Lines of UTF-8 text from plain or gzip files; every failure names the file and the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fewbits.errors import FormatError, InputError, StorageError

_MAX_LINE = 64 << 20  # bytes; a longer line is a file of another kind (or a gzip bomb)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end); blank lines are passed over.

    A name that ends in `.gz` is read through gzip. A byte order mark is dropped.

    Raises:
        InputError: the file does not exist or is a folder.
        FormatError: truncated or damaged gzip, invalid UTF-8, or a line beyond 64 MiB.
        StorageError: the operating system refused to read it.
    """
    number = 0
    try:
        with _open(path) as stream:
            while raw := stream.readline(_MAX_LINE + 1):
                number += 1
                text = _decode(raw, path, number)
                if text:
                    yield number, text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(
            f"{path}, line {number + 1}: gzip data is truncated or damaged ({error}); "
            "fetch the file again"
        ) from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(f"{path} is not a readable file: {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"{path} could not be read: {error}") from error


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, JSON object) from a `.jsonl` or `.jsonl.gz` file.

    Raises:
        FormatError: a line that is not one JSON object, or as in `read_lines`.
    """
    for number, line in read_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{path}, line {number}: not valid JSON ({error})") from error
        if not isinstance(value, dict):
            raise FormatError(
                f"{path}, line {number}: expected a JSON object, got {type(value).__name__}"
            )
        yield number, value


def existing(folder: Path, *names: str) -> Path | None:
    """Return the first of `names` in `folder`, plain before `.gz`, or None."""
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")


def _decode(raw: bytes, path: Path, number: int) -> str:
    if len(raw) > _MAX_LINE:
        raise FormatError(f"{path}, line {number}: longer than {_MAX_LINE >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path}, line {number}: not UTF-8 at byte {error.start}; convert the file to UTF-8"
        ) from error
    return text.rstrip("\r\n") if text.strip() else ""
