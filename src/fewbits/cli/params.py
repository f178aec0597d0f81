"""`--param key=value`, read as the types that the quantizer's fields declare."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, Union

import typer

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_params(name: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Return constructor arguments of the quantizer `name` from "key=value" texts.

    A malformed pair, an unknown key or a value of another type is wrong usage.
    """
    from fewbits.vectors import make_quantizer

    kind = type(make_quantizer(name))
    known = [key for key in make_quantizer(name).params() if key != "metric"]
    hints = typing.get_type_hints(kind)
    out: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--param must be KEY=VALUE, got {pair!r}")
        if key == "metric":
            raise typer.BadParameter("give the metric as --metric, not as --param")
        if key not in known:
            raise typer.BadParameter(
                f"{name} has no parameter {key!r}; it takes {', '.join(known)}"
            )
        if key in out:
            raise typer.BadParameter(f"--param {key} is given twice")
        out[key] = _value(hints[key], text, key)
    return out


def _value(hint: Any, text: str, key: str) -> Any:  # noqa: ANN401 - what the field declares
    for option in _options(hint):
        found, value = _read(option, text)
        if found:
            return value
    wanted = " or ".join(_name(option) for option in _options(hint))
    raise typer.BadParameter(f"--param {key} must be {wanted}, got {text!r}")


def _options(hint: Any) -> list[Any]:  # noqa: ANN401
    """Return what a hint allows, unions and literals opened; str last, as it reads anything."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        members = [option for member in typing.get_args(hint) for option in _options(member)]
        return sorted(members, key=lambda option: option is str)
    return list(typing.get_args(hint)) if typing.get_origin(hint) is Literal else [hint]


def _read(option: Any, text: str) -> tuple[bool, Any]:  # noqa: ANN401
    """Return whether `text` is a value of this type, or this very value, and the value."""
    if option is type(None):
        return text.lower() == "none", None
    if option is bool:
        return text.lower() in _TRUTH, _TRUTH.get(text.lower())
    if not isinstance(option, type):  # a member of a Literal
        return text == str(option), option
    if option not in (int, float, str):
        return False, None
    try:
        return True, option(text)
    except ValueError:
        return False, None


def _name(option: Any) -> str:  # noqa: ANN401
    names = {int: "an integer", float: "a number", bool: "true or false", type(None): "none"}
    return names.get(option) or getattr(option, "__name__", None) or str(option)
