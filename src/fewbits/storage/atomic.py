"""Files that appear whole or not at all.

Order of one write: temporary file in the same folder, fsync, replace, fsync of the folder. The
target is never opened for writing, so a crash, a full disk or a kill leaves what was there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from fewbits.errors import StorageError

_TEMP = re.compile(r"\.fewbits-[0-9a-f]{16}\.tmp")
_CHUNK = 8 << 20  # bytes handed to one write call
# Some network and FUSE file systems cannot sync a folder and say so, and a folder that may be
# written but not read cannot be opened for it: there is nothing that could be done instead.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EACCES}


def write_file(path: Path, pieces: Iterable[memoryview | bytes]) -> None:
    """Put the concatenation of `pieces` at `path`; the bytes are on disk when it appears there.

    The new name itself is durable only after `sync_folder(path.parent)`.

    Raises:
        StorageError: the system refused; `path` is as it was and no temporary file is left.
    """
    temp = path.with_name(f".fewbits-{secrets.token_hex(8)}.tmp")
    try:
        _fill(temp, pieces)
        os.replace(temp, path)
    except OSError as error:
        raise storage_error(
            f"cannot write {path}", error, "what was there before is unchanged"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # after a replace there is none; else the error is out
            temp.unlink()


def sync_folder(folder: Path) -> None:
    """Make names created, replaced or removed in `folder` durable (nothing to do on Windows).

    Raises:
        StorageError: the system refused; the new names are visible, but might not outlive a
            power cut.
    """
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in _NO_FOLDER_SYNC:
            return
        raise storage_error(
            f"{folder} holds the new state, but the system did not confirm that it is on disk",
            error,
            "check the disk, then open it again",
        ) from error


def is_temp(name: str) -> bool:
    """Whether `name` is one that `write_file` gives to its temporary files."""
    return _TEMP.fullmatch(name) is not None


def storage_error(what: str, error: OSError, after: str) -> StorageError:
    """Return a StorageError that carries the system's text and its errno."""
    out = StorageError(f"{what}: {os.strerror(error.errno) if error.errno else error}; {after}")
    out.errno = error.errno
    return out


def _fill(temp: Path, pieces: Iterable[memoryview | bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temp, flags, 0o666)
    try:
        for piece in pieces:
            _write_all(handle, memoryview(piece))
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(handle, piece[:_CHUNK]) :]
