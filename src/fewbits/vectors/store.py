"""A folder that goes from one state to the next in one step: immutable files and a manifest.

Readers need no lock: they see the manifest of before or of after. Writers exclude each other. A
reader's memory-mapped arrays stay valid after the files behind them were removed (POSIX keeps an
unlinked file until its last mapping goes; Windows refuses to remove it, and a later commit does).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewbits.errors import ConflictError, FormatError, InputError, StorageError
from fewbits.storage import container
from fewbits.storage.atomic import is_temp, storage_error, sync_folder, write_file
from fewbits.storage.container import Array, Contents, Stamp
from fewbits.storage.lock import exclusive
from fewbits.vectors import manifest
from fewbits.vectors.manifest import Manifest

_LOCK = ".lock"
_TRIES = 16  # a reader starts over only if a whole commit went by meanwhile


@dataclass(frozen=True, eq=False)
class Entry:
    """One immutable file of the index, opened and checked."""

    name: str
    kind: str
    stamp: Stamp
    contents: Contents


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One generation of the index, whole; `files` are in the order in which they were committed."""

    generation: int
    params: dict[str, Any]
    files: list[Entry]


class Store:
    """An index folder on disk.

    Args:
        folder: where it is or will be; nothing is touched before `read` or `writer`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Name the folder; no file is opened."""
        self.folder = Path(folder)

    def exists(self) -> bool:
        """Whether the folder has a manifest (which `read` may still find damaged)."""
        return (self.folder / manifest.NAME).is_file()

    def read(self, verify: bool = True) -> Snapshot:
        """Open and check every file of the current generation.

        While somebody else commits, this is the generation of before or of after, never a mixture.

        Args:
            verify: compare the checksum of every tensor too, which reads all the data once.

        Raises:
            FormatError: a file is damaged, foreign, missing, or of an unknown version.
            StorageError: there is no manifest (errno ENOENT), or the system refused to read.
        """
        raw, current = manifest.load(self.folder)
        for _ in range(_TRIES):
            try:
                files = [self._open(kind, stamp, verify) for kind, stamp in current.files]
                return Snapshot(current.generation, current.params, files)
            except StorageError as error:
                if error.errno != errno.ENOENT:
                    raise
                before = raw
                raw, current = manifest.load(self.folder)
                if raw == before:
                    raise FormatError(
                        f"{self.folder}: a file that the manifest lists is missing ({error})"
                    ) from error
        raise StorageError(f"{self.folder} is replaced faster than it can be read; try again")

    @contextlib.contextmanager
    def writer(self, base: int | None) -> Iterator[Writer]:
        """Lock the folder (created if missing) for one commit.

        Leaving the block without `commit`, by an error or not, removes the files added in it.

        Args:
            base: the generation that the changes build on, refused if it is no longer the current
                one; None replaces whatever index is there, a damaged one too.

        Raises:
            ConflictError: somebody else is writing, or has committed after `base`.
            InputError: the folder holds something that is not an index; nothing was written.
            StorageError: the system refused; the folder's index is unchanged.
        """
        _make_folder(self.folder)
        current = self._current(base)
        with exclusive(self.folder / _LOCK):
            current = self._current(base)  # again: only now nobody else can change it
            writer = Writer(self, current)
            try:
                yield writer
            finally:
                writer.close()

    def _open(self, kind: str, stamp: Stamp, verify: bool) -> Entry:
        path = self.folder / stamp.name
        contents = container.read(path, kind=kind, verify=verify, stamp=stamp)
        return Entry(stamp.name, kind, stamp, contents)

    def _current(self, base: int | None) -> Manifest | None:
        """Return what is being replaced: None if there is nothing, or a damaged index."""
        names = _names(self.folder)
        if base is not None and manifest.NAME not in names:
            raise ConflictError(
                f"{self.folder} no longer holds the index that was opened (generation {base}); "
                "save it to another folder"
            )
        try:
            current = manifest.load(self.folder)[1] if manifest.NAME in names else None
        except FormatError:
            if base is not None:
                raise
            current = None
        if current is None:
            _refuse_foreign(self.folder, names)
        elif base is not None and current.generation != base:
            raise ConflictError(
                f"{self.folder} is at generation {current.generation}, this index was opened at "
                f"{base}: somebody else saved meanwhile; open it again and repeat the changes"
            )
        return current


class Writer:
    """Collects the files of the next generation; made by `Store.writer`, which holds the lock."""

    def __init__(self, store: Store, current: Manifest | None) -> None:
        """Start from `current`, the generation that is being replaced."""
        self._store, self._current = store, current
        names = _names(store.folder)
        # Also above the files of a damaged or unfinished generation, so no number comes twice.
        seen = [manifest.generation_in(name) or 0 for name in names]
        self.generation = 1 + max([current.generation if current else 0, *seen])
        self._added: list[str] = []
        self._files: list[tuple[str, Stamp, Entry | None]] = []
        self._attempt: bytes | None = None
        self._done = False
        if current is not None or manifest.NAME not in names:
            self._sweep(current.files if current else ())

    def add(self, kind: str, tensors: Mapping[str, Array], params: Mapping[str, Any]) -> str:
        """Write a new file (see `container.write`) and return its name."""
        self._check_open()
        name = f"{kind}-{self.generation}-{secrets.token_hex(8)}.safetensors"
        if manifest.generation_in(name) is None:
            raise InputError(f"kind must be 1 to 32 lowercase letters, got {kind!r}")
        self._added.append(name)
        stamp = container.write(self._store.folder / name, tensors, kind=kind, params=params)
        self._files.append((kind, stamp, None))
        return name

    def keep(self, entry: Entry) -> None:
        """Carry a file of the current generation over as it is.

        Raises:
            ConflictError: the current generation does not have it.
        """
        self._check_open()
        if self._current is None or (entry.kind, entry.stamp) not in self._current.files:
            raise ConflictError(
                f"{self._store.folder} does not have {entry.name}; write its contents with add"
            )
        if any(stamp == entry.stamp for _, stamp, _ in self._files):
            raise InputError(f"{entry.name} is kept already")
        self._files.append((entry.kind, entry.stamp, entry))

    def commit(self, params: Mapping[str, Any]) -> Snapshot:
        """Make the added and kept files the current generation, then remove the files of before.

        Raises:
            InputError: params that JSON does not hold, or a second commit.
            StorageError: the system refused. Either the index is unchanged, or the message says
                that the new generation is in place but not confirmed to be on disk.
        """
        self._check_open()
        folder = self._store.folder
        files = tuple((kind, stamp) for kind, stamp, _ in self._files)
        raw = manifest.encode(Manifest(self.generation, dict(params), files))
        new = manifest.decode(raw)
        opened = [
            entry or self._store._open(kind, stamp, False) for kind, stamp, entry in self._files
        ]
        self._attempt = raw
        write_file(folder / manifest.NAME, [raw])
        self._done = True
        sync_folder(folder)  # before removing: until then a power cut may bring the old state back
        self._sweep(new.files)
        return Snapshot(new.generation, new.params, opened)

    def close(self) -> None:
        """Remove what was added, unless it was committed."""
        if self._done or self._has_replaced():
            return
        self._done = True
        _remove(self._store.folder, self._added)

    def _has_replaced(self) -> bool:
        """Whether the manifest is ours although `commit` did not get as far as to note it."""
        if self._attempt is None:
            return False
        try:
            return (self._store.folder / manifest.NAME).read_bytes() == self._attempt
        except FileNotFoundError:
            return False
        except OSError:
            return True  # unknown: the next commit removes a file left over, a lost one is lost

    def _check_open(self) -> None:
        if self._done or self._attempt is not None:
            raise InputError("this writer is closed; take a new one with Store.writer")

    def _sweep(self, files: Iterable[tuple[str, Stamp]]) -> None:
        """Remove files that only we can have made and that are not in `files`."""
        keep = {stamp.name for _, stamp in files}
        with contextlib.suppress(OSError):  # tidying; the commit before it is what counts
            names = _names(self._store.folder)
            _remove(self._store.folder, [n for n in names if _is_data(n) and n not in keep])


def _is_data(name: str) -> bool:
    return is_temp(name) or manifest.generation_in(name) is not None


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise storage_error(f"cannot list {folder}", error, "nothing was written") from error


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):  # gone already, or mapped by a reader on Windows
            os.unlink(folder / name)


def _refuse_foreign(folder: Path, names: list[str]) -> None:
    """Refuse a folder without a readable manifest unless what lies in it is ours."""
    has_manifest = manifest.NAME in names
    ours = [name for name in names if manifest.generation_in(name) is not None]
    foreign = [n for n in names if n not in (manifest.NAME, _LOCK) and not _is_data(n)]
    if (has_manifest and not ours) or (not has_manifest and foreign):
        found = manifest.NAME if has_manifest else sorted(foreign)[0]
        raise InputError(
            f"{folder} holds {found!r} and is not an index; nothing was written, "
            "choose a new or empty folder"
        )


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise InputError(f"{folder} is a file; an index is a folder, choose another path")
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(f"cannot create {folder}", error, "nothing was written") from error
    for path in missing:
        sync_folder(path.parent)
