"""A quantized model as a folder: the source's own files, fewbits.json and one container.

    small/
      modules.json, config.json, tokenizer.json, 1_Pooling/config.json, ...   as the source has them
      fewbits.safetensors                          the tensors, in the order the kernels read them
      fewbits.json                                 recipe, ranges, origin, and what belongs together
      .lock                                        empty; locked while somebody writes

docs/format.md describes both files. fewbits.json is replaced last and names the container with its
checksum, so that whenever a writer is stopped the folder is the old model or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fewbits.errors import FormatError, InputError, ModelError, StorageError
from fewbits.models import about as facts
from fewbits.models.about import About, Origin, spec_facts
from fewbits.models.agreement import check_tensors, check_values
from fewbits.models.companions import check_companions, checksums, origin_of, read_companions
from fewbits.models.outline import Outline, read_outline
from fewbits.models.stored import join, split
from fewbits.models.tensors import Tensors
from fewbits.storage import container
from fewbits.storage.atomic import is_temp, storage_error, sync_folder, write_file
from fewbits.storage.container import Stamp
from fewbits.storage.folder import LOCK, new_folder
from fewbits.storage.lock import exclusive

if TYPE_CHECKING:
    from fewbits.models.encoder import Encoder

KIND = "model"
CONTAINER = "fewbits.safetensors"
_TRIES = 16  # a reader starts over only if somebody replaced the model meanwhile


@dataclass(frozen=True)
class Artifact:
    """A quantized model folder, read and checked; arrays are memory-mapped."""

    outline: Outline
    tensors: Tensors
    about: About


def is_artifact(folder: Path) -> bool:
    """Whether `folder` says that it holds a quantized model, which `load` may find damaged."""
    return (folder / facts.NAME).exists()


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Refuse a folder that `save` would refuse whatever the encoder.

    Raises:
        InputError: a file, or a folder that holds something else than a quantized model.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; a model is a folder, choose another path")
    names = [path.name for path in target.iterdir()] if target.is_dir() else []
    if names and not is_artifact(target):
        raise InputError(
            f"{target} holds {min(names)!r} and is no quantized model; nothing was written, "
            "choose a new or empty folder"
        )


def save(encoder: Encoder, folder: str | os.PathLike[str]) -> None:
    """Write an encoder as a quantized model folder, whole or not at all.

    A folder that is new or empty is written beside its place and renamed. Where a quantized
    version of the same model lies, its numbers are replaced; anything else is left alone.

    Raises:
        InputError: the folder holds something else.
        ModelError: the encoder was not loaded from a folder, or that folder has changed since.
        ConflictError: somebody else is writing there.
        StorageError: the system refused; what was there before is unchanged.
    """
    target = Path(folder)
    check_values(encoder.tensors)
    outline = _source(encoder)
    companions = read_companions(outline)
    origin = encoder.origin or origin_of(outline, encoder.name)
    draft = _draft(encoder, origin, checksums(companions))
    _check_target(target, draft)
    if is_artifact(target):
        _replace(target, draft, encoder.tensors)
        return
    with new_folder(target) as fresh:
        for name, raw in companions.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(fresh / name, [raw])
        _commit(fresh, CONTAINER, draft, encoder.tensors)


def load(folder: Path) -> Artifact:
    """Read a quantized model folder; every byte that is used has been checked.

    Raises:
        FormatError: a file is damaged, missing, of a newer version, or does not match the others.
        ModelError: the folder is no model that this version runs.
        StorageError: the system refused to read.
    """
    raw, about = facts.load(folder)
    check_companions(folder, about.files)
    outline = read_outline(folder)
    _check_spec(folder, about, outline)
    for _ in range(_TRIES):
        try:
            contents = container.read(folder / about.tensors.name, kind=KIND, stamp=about.tensors)
        except StorageError as error:
            if error.errno != errno.ENOENT:
                raise
            before = raw
            raw, about = facts.load(folder)
            if raw == before:
                raise FormatError(
                    f"{folder / about.tensors.name} is missing; copy the whole model folder again"
                ) from error
            continue
        return Artifact(outline, _tensors(folder, about, outline, contents.tensors), about)
    raise StorageError(f"{folder} is replaced faster than it can be read; try again")


def _tensors(
    folder: Path, about: About, outline: Outline, arrays: Mapping[str, container.Array]
) -> Tensors:
    try:
        tensors = join(arrays, outline.spec, about.recipe, about.ranges)
        check_tensors(outline.spec, tensors)
        check_values(tensors)
    except (FormatError, ModelError) as error:
        raise FormatError(
            f"{folder / about.tensors.name}: {error}; quantize the model again"
        ) from error
    return tensors


def _check_spec(folder: Path, about: About, outline: Outline) -> None:
    written, found = about.spec, spec_facts(outline.spec)
    for name in sorted({*written, *found}):
        if written.get(name) != found.get(name):
            raise FormatError(
                f"{folder / facts.NAME} is of a model with {name} {written.get(name)!r:.80}, the "
                f"folder's configuration says {found.get(name)!r:.80}; quantize the model again"
            )


def _source(encoder: Encoder) -> Outline:
    if encoder.source is None:
        raise ModelError(
            "an encoder can be saved if it was loaded from a folder, whose tokenizer and "
            "configuration it takes along, got one made of parts; start from Encoder.load"
        )
    outline = read_outline(encoder.source)
    if outline.spec != encoder.spec:
        raise ModelError(
            f"{encoder.source} no longer describes this encoder; load it again, then save"
        )
    return outline


def _draft(encoder: Encoder, origin: Origin, files: Mapping[str, tuple[int, str]]) -> About:
    linears = encoder.tensors.linears.items()
    ranges = {
        name: (float(linear.activation.scale), int(linear.activation.zero_point))
        for name, linear in linears
        if linear.activation.mode == "static"
    }
    return About(
        spec_facts(encoder.spec),
        encoder.recipe,
        ranges,
        encoder.calibration,
        origin,
        files,
        Stamp(CONTAINER, 0, "00000000"),  # known once the container is written
    )


def _check_target(target: Path, draft: About) -> None:
    check_folder(target)
    if not is_artifact(target):
        return
    try:
        files = facts.load(target)[1].files
    except FormatError as error:
        raise InputError(
            f"{error}; nothing was written, choose a new folder or remove this one"
        ) from error
    if dict(files) != dict(draft.files):
        name = min(n for n in {*files, *draft.files} if files.get(n) != draft.files.get(n))
        raise InputError(
            f"{target} holds another model ({name} differs); nothing was written, choose a new "
            "folder or remove this one"
        )


def _replace(target: Path, draft: About, tensors: Tensors) -> None:
    with exclusive(target / LOCK):
        used = facts.load(target)[1].tensors.name
        name = CONTAINER if used != CONTAINER else f"fewbits-{secrets.token_hex(8)}.safetensors"
        try:
            _commit(target, name, draft, tensors)
        finally:
            _sweep(target)


def _commit(folder: Path, name: str, draft: About, tensors: Tensors) -> None:
    stamp = container.write(folder / name, split(tensors), kind=KIND, params={})
    raw = facts.encode(replace(draft, tensors=stamp))
    facts.decode(raw)
    write_file(folder / facts.NAME, [raw])
    sync_folder(folder)  # before removing: until then a power cut may bring the old state back


def _sweep(folder: Path) -> None:
    """Remove containers that fewbits.json does not name, and temporary files."""
    with contextlib.suppress(OSError, FormatError):  # tidying; the commit is what counts
        keep = facts.load(folder)[1].tensors.name
        for path in _ours(folder):
            if path.name != keep:
                with contextlib.suppress(OSError):  # mapped by a reader on Windows
                    path.unlink()


def _ours(folder: Path) -> Iterator[Path]:
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise storage_error(f"cannot list {folder}", error, "nothing was removed") from error
    for path in paths:
        if is_temp(path.name) or facts.TENSORS.fullmatch(path.name):
            yield path
