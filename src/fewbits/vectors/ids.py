"""Ids as columns: int64 values, or strings kept as UTF-8 bytes with offsets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import DuplicateIdError, FormatError, InputError
from fewbits.vectors.growing import Growing, shallow

if TYPE_CHECKING:
    from typing_extensions import Self

Rows: TypeAlias = NDArray[np.int64]
IdArray: TypeAlias = NDArray[Any]  # int64, or object holding str

_BLOCK = 1 << 16  # strings copied at a time


def as_ids(ids: Any, name: str = "ids") -> IdArray:  # noqa: ANN401 - any sequence of ids
    """Return ids as an int64 array or an object array of str.

    Raises:
        InputError: neither integers nor strings, not one-dimensional, or beyond int64.
    """
    if isinstance(ids, (str, bytes, bytearray)):
        raise InputError(f"{name} must be a sequence of ids, got the single string {ids!r}")
    values = np.asarray(ids) if isinstance(ids, np.ndarray) else _to_array(ids, name)
    if values.dtype.kind == "O" and values.ndim == 1:
        values = _to_array(values, name)  # Python integers in a column of objects are integers
    if values.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, got shape {values.shape}")
    if values.dtype.kind in "iu":
        if values.size and int(values.max()) > np.iinfo(np.int64).max:
            raise InputError(f"{name} must fit in int64, got {values.max()}")
        return values.astype(np.int64)
    if values.dtype.kind in "UT" or (values.dtype.kind == "O" and _all_strings(values, name)):
        return _checked_strings(values, name)
    if values.size == 0:
        return values.astype(np.int64)
    raise InputError(f"{name} must be integers or strings, got {values.dtype}")


def refuse_duplicates(ids: IdArray) -> None:
    """Refuse an id that is given twice.

    Raises:
        DuplicateIdError: naming the first such id.
    """
    if len(ids) == 0:
        return
    if ids.dtype == np.int64:
        ordered = np.sort(ids)
        again = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(again):
            raise DuplicateIdError(f"ids must be unique, {int(again[0])} is given twice")
        return
    seen: set[str] = set()
    for value in ids:
        if value in seen:
            raise DuplicateIdError(f"ids must be unique, {value!r} is given twice")
        seen.add(value)


class IdColumn(ABC):
    """The ids of consecutive rows."""

    kind: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int:
        """Rows so far."""

    def fork(self) -> Self:
        """Return a column of the same rows; only one of the two may be appended to from then on."""
        twin = shallow(self)
        for name, value in vars(self).items():
            if isinstance(value, Growing):
                setattr(twin, name, shallow(value))
        return twin

    @abstractmethod
    def append(self, ids: IdArray) -> None:
        """Add ids, as `as_ids` returns them."""

    @abstractmethod
    def take(self, rows: Rows | slice) -> IdArray:
        """Return the ids of some rows, in the shape of `rows`."""

    @abstractmethod
    def pick(self, rows: Rows) -> Self:
        """Return a new column of some rows, (m,), in the order given."""

    @staticmethod
    @abstractmethod
    def join(columns: Sequence[IdColumn]) -> IdColumn:
        """Return a new column of the rows of several columns of this kind."""

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the column as it lies on disk."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes held."""


class IntIds(IdColumn):
    """int64 ids."""

    kind = "int"

    def __init__(self, values: NDArray[np.int64] | None = None) -> None:
        """Start from values, or empty."""
        self._values = Growing(np.empty(0, np.int64) if values is None else values)

    def __len__(self) -> int:
        """Rows so far."""
        return len(self._values)

    def append(self, ids: IdArray) -> None:
        """Add int64 ids."""
        self._values.append(ids)

    def take(self, rows: Rows | slice) -> IdArray:
        """Return int64 ids."""
        return np.array(self._values.view[rows])

    def pick(self, rows: Rows) -> IntIds:
        """Return a new column of some rows."""
        return IntIds(self.take(rows))

    @staticmethod
    def join(columns: Sequence[IdColumn]) -> IntIds:
        """Return a new column of the rows of several."""
        return IntIds(np.concatenate([column.tensors()["ids"] for column in columns]))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return {"ids": int64 (n,)}."""
        return {"ids": self._values.view}

    @property
    def nbytes(self) -> int:
        """Eight per row."""
        return 8 * len(self)


class StrIds(IdColumn):
    """String ids: row i is the UTF-8 text bytes[offsets[i] : offsets[i + 1]]."""

    kind = "str"

    def __init__(
        self, offsets: NDArray[np.int64] | None = None, text: NDArray[np.uint8] | None = None
    ) -> None:
        """Start from offsets (n + 1,) and bytes, or empty."""
        self._offsets = Growing(np.zeros(1, np.int64) if offsets is None else offsets)
        self._text = Growing(np.empty(0, np.uint8) if text is None else text)

    def __len__(self) -> int:
        """Rows so far."""
        return len(self._offsets) - 1

    def append(self, ids: IdArray) -> None:
        """Add strings."""
        encoded = [value.encode() for value in ids]
        lengths = np.array([len(text) for text in encoded], dtype=np.int64)
        self._text.append(np.frombuffer(b"".join(encoded), dtype=np.uint8))
        self._offsets.append(self._offsets.view[-1] + np.cumsum(lengths, dtype=np.int64))

    def take(self, rows: Rows | slice) -> IdArray:
        """Return an object array of str."""
        numbers = np.arange(len(self))[rows] if isinstance(rows, slice) else rows
        offsets, text = self._offsets.view, self._text.view
        out = np.empty(numbers.size, dtype=object)
        for i, row in enumerate(numbers.ravel().tolist()):
            out[i] = text[offsets[row] : offsets[row + 1]].tobytes().decode()
        return out.reshape(numbers.shape)

    def pick(self, rows: Rows) -> StrIds:
        """Return a new column of some rows."""
        offsets, text = self._offsets.view, self._text.view
        ends = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(offsets[rows + 1] - offsets[rows], out=ends[1:])
        out = np.empty(ends[-1], dtype=np.uint8)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            begin, end = ends[start], ends[start + len(block)]
            # Byte i of the block comes from as far behind its text's start as i lies behind its.
            shift = offsets[block] - ends[start : start + len(block)]
            lengths = offsets[block + 1] - offsets[block]
            out[begin:end] = text[np.arange(begin, end) + np.repeat(shift, lengths)]
        return StrIds(ends, out)

    @staticmethod
    def join(columns: Sequence[IdColumn]) -> StrIds:
        """Return a new column of the rows of several."""
        parts = [column.tensors() for column in columns]
        lengths = np.concatenate([np.diff(part["id_offsets"]) for part in parts])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return StrIds(offsets, np.concatenate([part["id_text"] for part in parts]))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return {"id_offsets": int64 (n + 1,), "id_text": uint8}."""
        return {"id_offsets": self._offsets.view, "id_text": self._text.view}

    @property
    def nbytes(self) -> int:
        """Text and offsets."""
        return 8 * len(self._offsets) + len(self._text)


def new_column(ids: IdArray) -> IdColumn:
    """Return an empty column for ids of this kind."""
    return IntIds() if ids.dtype == np.int64 else StrIds()


def column_of(tensors: Mapping[str, NDArray[Any]], where: str) -> IdColumn:
    """Return the column that `tensors` wrote.

    Raises:
        FormatError: missing tensors, or offsets that do not cut the text into valid strings.
    """
    if "ids" in tensors:
        if tensors["ids"].dtype != np.int64 or tensors["ids"].ndim != 1:
            raise FormatError(f"{where}: ids must be int64 (n,)")
        return IntIds(tensors["ids"])
    if "id_offsets" not in tensors or "id_text" not in tensors:
        raise FormatError(f"{where}: the tensors of the ids are missing")
    offsets, text = tensors["id_offsets"], tensors["id_text"]
    right = offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets) > 0
    if not right or text.dtype != np.uint8 or text.ndim != 1:
        raise FormatError(f"{where}: id_offsets must be int64 (n + 1,) and id_text uint8")
    if offsets[0] != 0 or offsets[-1] != len(text) or np.any(offsets[1:] < offsets[:-1]):
        raise FormatError(f"{where}: id_offsets do not cut id_text")
    try:
        text.tobytes().decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: id_text is not UTF-8") from error
    starts = offsets[:-1][offsets[:-1] < len(text)]
    if np.any((text[starts] & 0xC0) == 0x80):
        raise FormatError(f"{where}: id_offsets cut a character in two")
    return StrIds(offsets, text)


def _to_array(ids: Iterable[Any], name: str) -> NDArray[Any]:
    values = list(ids) if isinstance(ids, Iterable) else None
    if values is None:
        raise InputError(f"{name} must be a sequence of ids, got {type(ids).__name__}")
    if values and all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values):
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError as error:
            raise InputError(f"{name} must fit in int64") from error
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _all_strings(values: NDArray[Any], name: str) -> bool:
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise InputError(
                f"{name} must be all integers or all strings, {name}[{i}] is "
                f"{type(value).__name__} {value!r}"
            )
    return True


def _checked_strings(values: NDArray[Any], name: str) -> IdArray:
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = str(value)
        if not out[i].isascii():
            try:
                out[i].encode()
            except UnicodeEncodeError as error:
                raise InputError(f"{name}[{i}] is not valid Unicode: {error.reason}") from error
    return out
