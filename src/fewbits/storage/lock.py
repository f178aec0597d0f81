"""One writer at a time: an advisory lock on a file, released by the system when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from fewbits.errors import ConflictError
from fewbits.storage.atomic import storage_error

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# What flock and msvcrt.locking report when somebody else holds the lock.
_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` (created if missing, never removed) for the length of the block.

    The lock belongs to the opened file: a second holder is refused in another process, in another
    thread and in the same thread alike.

    Raises:
        ConflictError: somebody else holds it; raised at once, without waiting.
        StorageError: the lock file cannot be opened, or the file system has no locks.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(f"cannot open {path}", error, "nothing was written") from error
    try:
        _acquire(handle, path)
        try:
            yield
        finally:
            _release(handle)
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise ConflictError(
                f"{path.parent} is being written by another process, thread or index; "
                "wait until it is done, then try again"
            ) from error
        raise storage_error(f"cannot lock {path}", error, "nothing was written") from error


def _release(handle: int) -> None:
    # Explicit, because a child forked meanwhile shares the lock through its copy of the handle.
    if sys.platform == "win32":
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_UN)
