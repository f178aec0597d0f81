"""A new folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from fewbits.errors import ConflictError, StorageError
from fewbits.storage.atomic import is_temp, storage_error, sync_folder
from fewbits.storage.lock import exclusive

LOCK = ".lock"


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
    temp = parent / f".fewbits-{secrets.token_hex(8)}.tmp"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        temp.mkdir()
    except OSError as error:
        raise storage_error(f"cannot create {target}", error, "nothing was written") from error
    try:
        with contextlib.ExitStack() as held:
            held.enter_context(exclusive(temp / LOCK))
            yield temp
            _sync_tree(temp)
            if os.name == "nt":  # there a folder with an open file cannot be renamed
                held.close()
            _rename(temp, target)
        sync_folder(parent)
    finally:
        shutil.rmtree(temp, ignore_errors=True)  # after the rename there is none


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
        if is_temp(path.name) and (path / LOCK).is_file():
            with contextlib.suppress(ConflictError, StorageError, OSError), exclusive(path / LOCK):
                shutil.rmtree(path, ignore_errors=True)
