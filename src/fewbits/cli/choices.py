"""Choices that come from the registry of quantizers, read only when a command needs them."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

NONE = "none"
_MARK = "{quantizers}"


class ListsQuantizers(TyperCommand):
    """A command whose help names every registered quantizer where it says {quantizers}."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's own types
        """Fill in the names, which costs the import of numpy, and write the help."""
        names = ", ".join(_names())
        for param in self.params:
            text = getattr(param, "help", None)
            if text:
                param.help = text.replace(_MARK, names)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def check_quantizer(value: str) -> str:
    """Return the name of a registered quantizer, or refuse it as wrong usage."""
    if value not in _names():
        raise typer.BadParameter(f"must be one of {', '.join(_names())}, got {value!r}")
    return value


def check_quantizer_or_none(value: str) -> str:
    """Return the name of a registered quantizer or "none", or refuse it as wrong usage."""
    if value != NONE and value not in _names():
        raise typer.BadParameter(f"must be one of {', '.join(_names())} or none, got {value!r}")
    return value


def check_quantizers(value: str | None) -> str | None:
    """Check a list of names between commas; None stands for all."""
    for name in names_in(value) or []:
        check_quantizer(name)
    return value


def names_in(value: str | None) -> list[str] | None:
    """Return the names in "a,b,c", or None for None."""
    return None if value is None else [name.strip() for name in value.split(",")]


def unless_none(value: str) -> str | None:
    """Return the name, or None where it is "none"."""
    return None if value == NONE else value


def _names() -> list[str]:
    from fewbits.vectors import quantizer_names

    return quantizer_names()
