"""What an engine is to this benchmark, and what a row of an engine table holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
TokenIds: TypeAlias = NDArray[np.int32]
Choice: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What an engine runs on.

    Attributes:
        model: the checkpoint, a folder in sentence-transformers layout.
        folder: the engine's own folder; `build` writes it, `load` reads it.
        shared: a folder for files of several engines, such as exported graphs.
        threads: threads to use.
        choice: one value of each of the entry's `options`.
    """

    model: Path
    folder: Path
    shared: Path
    threads: int
    choice: Choice


class Engine:
    """One encoder under test. It takes texts or token ids in any order and keeps that order."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    def build(self, calibration: list[str]) -> None:
        """Write what `load` reads; not timed, in a process of its own. Nothing by default."""

    def load(self) -> None:
        """Make ready to encode; timed, imports included."""
        raise NotImplementedError

    def encode_ids(self, ids: Sequence[TokenIds]) -> Floats:
        """Return one vector of unit length per list of token ids."""
        raise NotImplementedError

    def encode(self, texts: list[str]) -> Floats:
        """Return one vector of unit length per text."""
        raise NotImplementedError

    def files(self) -> list[Path]:
        """Return the files that must lie on the disk where texts are encoded."""
        raise NotImplementedError


Kind: TypeAlias = Literal["float32", "16 bits", "int8 dynamic", "int8 static"]


@dataclass(frozen=True)
class Entry:
    """One engine of the comparison: a row of a table, made into an `Engine` when it is due.

    Attributes:
        name: its name in tables.
        package: the distribution whose version is reported.
        kind: numbers of weights and activations.
        make: the engine of a setting.
        options: ways to run it. Option after option, the fastest value on many texts is kept,
            from the first value of each on.
        single: what differs from that choice where one text at a time is waited for.
    """

    name: str
    package: str
    kind: Kind
    make: Callable[[Setting], Engine]
    options: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    single: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first_choice(self) -> Choice:
        """The first value of each option."""
        return {key: values[0] for key, values in self.options.items()}

    def single_choice(self, choice: Choice) -> Choice:
        """Return the choice for one text at a time, given that for many."""
        return {**choice, **self.single}


def model_files(folder: Path, *, weights: bool) -> list[Path]:
    """Return the files of a checkpoint that encoding needs, with or without its weights."""
    wanted = ["config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"]
    if weights:
        wanted.append("model.safetensors")
    return [folder / name for name in wanted if (folder / name).exists()]


def folder_files(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
