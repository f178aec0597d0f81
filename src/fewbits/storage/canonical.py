"""JSON with exactly one spelling: sorted keys, no spaces, UTF-8, finite numbers.

What has one spelling can be compared as bytes: a duplicate key, an odd space or an escaped letter
in a file is found by writing the parsed value again.
"""

from __future__ import annotations

import json
import math
from reprlib import repr as brief  # what is quoted may come from a hostile file
from typing import Any

from fewbits.errors import FormatError, InputError

_MAX_DEPTH = 32
_INT_BOUND = 2**64  # seeds and hashes fit; a parser for 64-bit numbers never overflows
_INT_DIGITS = 20  # digits of 2**64; longer ones cost quadratic time in old Pythons


def dumps(value: Any, name: str = "params") -> bytes:  # noqa: ANN401 - any JSON value
    """Return the one spelling of `value`; tuples are written as lists.

    Args:
        value: None, bool, int, float, str, list, tuple or dict with string keys, nested.
        name: what error messages call the value.

    Raises:
        InputError: another type, NaN or infinity, |int| >= 2**64, a lone surrogate, or nesting
            deeper than 32.
    """
    checked(value, name)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{name} holds a lone surrogate; only Unicode text is stored") from error


def checked(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` if `dumps` takes it; InputError names the item inside `name` if not."""
    _check(value, (name,))
    return value


def loads(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse bytes that `dumps` wrote.

    Raises:
        FormatError: not JSON, or JSON in any other spelling than the one of `dumps`.
    """
    value, spelling = parse(raw)
    if spelling != raw:
        raise FormatError("JSON is not in its canonical spelling (sorted keys, no spaces, UTF-8)")
    return value


def parse(raw: bytes) -> tuple[Any, bytes]:
    """Return the value of JSON in any spelling, and the spelling of `dumps`.

    Raises:
        FormatError: not JSON, a key twice in one object, or what `dumps` does not take.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_int=_int)
        return value, dumps(value, "JSON")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not valid JSON ({error})") from error


def _check(value: Any, path: tuple[object, ...]) -> None:  # noqa: ANN401 - any JSON value
    if len(path) > _MAX_DEPTH:
        raise InputError(f"{path[0]} is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{_where(path)} has the key {brief(key)}; keys must be str")
            _check(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            _check(item, (*path, number))
    else:
        _check_leaf(value, path)


def _check_leaf(value: Any, path: tuple[object, ...]) -> None:  # noqa: ANN401 - any JSON value
    if value is None or isinstance(value, (bool, str)):
        return
    if isinstance(value, int):
        if abs(value) >= _INT_BOUND:
            raise InputError(f"{_where(path)} must lie within +-2**64, exclusive")
    elif not isinstance(value, float):
        raise InputError(
            f"{_where(path)} must be JSON (None, bool, int, float, str, list, dict), got "
            f"{type(value).__name__}; convert numpy scalars with .item()"
        )
    elif not math.isfinite(value):
        raise InputError(f"{_where(path)} is {value}; only finite numbers are stored")


def _where(path: tuple[object, ...]) -> str:
    return str(path[0]) + "".join(f"[{brief(key)}]" for key in path[1:])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise FormatError("a key occurs twice")
    return out


def _int(digits: str) -> int:
    if len(digits) > _INT_DIGITS + 1:
        raise FormatError("an integer is longer than 64 bits")
    return int(digits)
