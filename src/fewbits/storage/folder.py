"""A new folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from fewbits.errors import ConflictError, StorageError
from fewbits.storage.atomic import is_temp, storage_error, sync_folder
from fewbits.storage.lock import exclusive

LOCK = ".lock"
_TRIES = 16


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; it becomes `target` when the block ends.

    The files in it must be on disk by then (`write_file`). If the block raises, nothing remains.
    What a killed writer left beside `target` is removed first. The new folder holds the lock file
    of whoever changes it later.

    Raises:
        StorageError: the system refused, for example because `target` exists and is not empty;
            nothing remains.
    """
    parent = target.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
    except OSError as error:
        raise storage_error(f"cannot create {target}", error, "nothing was written") from error
    with contextlib.ExitStack() as held:
        temp = _claim(target, held)
        try:
            yield temp
            _sync_tree(temp)
            if os.name == "nt":  # there a folder with an open file cannot be renamed
                held.close()
            _rename(temp, target)
        finally:
            if os.name == "nt":
                held.close()
            _remove(temp)  # after the rename there is none
    sync_folder(parent)


def _claim(target: Path, held: contextlib.ExitStack) -> Path:
    """Create a folder under a temporary name and lock it, so that nobody takes it for abandoned."""
    for _ in range(_TRIES):
        temp = target.parent / f".fewbits-{secrets.token_hex(8)}.tmp"
        try:
            temp.mkdir()
        except OSError as error:
            raise storage_error(f"cannot create {target}", error, "nothing was written") from error
        try:
            held.enter_context(exclusive(temp / LOCK))
        except (ConflictError, StorageError) as error:
            if isinstance(error, ConflictError) or error.errno == errno.ENOENT:
                continue  # somebody took it away before it was locked
            _remove(temp)
            raise
        if (temp / LOCK).exists():
            return temp
        held.pop_all().close()
    raise StorageError(f"cannot create {target}: what is begun there is removed; try again")


def _rename(temp: Path, target: Path) -> None:
    try:
        if target.is_dir():
            target.rmdir()  # Windows renames onto nothing, POSIX onto an empty folder too
        os.rename(temp, target)
    except OSError as error:
        raise storage_error(f"cannot create {target}", error, "nothing was written") from error


def _sync_tree(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _remove_abandoned(parent: Path) -> None:
    """Remove folders whose writer is gone, which is the case if nobody holds their lock."""
    for path in parent.iterdir():
        if not is_temp(path.name) or not path.is_dir():
            continue
        with contextlib.suppress(ConflictError, OSError):
            if (path / LOCK).is_file():
                with exclusive(path / LOCK):
                    _remove(path)
                _remove(path)  # again for Windows, which keeps files that are open
            else:
                path.rmdir()  # its writer has not come to the lock; if it lives, it starts over


def _remove(folder: Path) -> None:
    """Remove a folder, its lock file last: until then the next writer can finish the removal."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                path.unlink()
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()
