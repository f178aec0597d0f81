"""Choices that come from the registry of quantizers, read only when a command needs them."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

NONE = "none"
AUTO = "auto"
ALL = "all"
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


def check_probes(value: str) -> str:
    """Check a number of clusters, "auto" or "all"."""
    if value not in (AUTO, ALL) and not (value.isascii() and value.isdigit() and int(value)):
        raise typer.BadParameter(f"must be a number from 1 on, {AUTO} or {ALL}, got {value!r}")
    return value


def probes_in(value: str) -> Any:  # noqa: ANN401 - what `Index.search` takes
    """Return what `Index.search` calls nprobe."""
    return {AUTO: AUTO, ALL: None}[value] if value in (AUTO, ALL) else int(value)


def check_widths(value: str | None) -> str | None:
    """Check a list of bits per dimension between commas."""
    for text in names_in(value) or []:
        try:
            float(text)
        except ValueError:
            raise typer.BadParameter(f"must be numbers between commas, got {text!r}") from None
    return value


def with_widths(names: list[str] | None, widths: str | None) -> list[Any] | None:
    """Return quantizers to measure: those that take bits once per width.

    Without names these kinds alone; without widths the names as they are.
    """
    if widths is None:
        return names
    from fewbits.vectors import make_quantizer

    out: list[Any] = []
    for name in _names() if names is None else names:
        if "bits" in make_quantizer(name).params():
            out += [(name, {"bits": float(text)}) for text in names_in(widths) or []]
        elif names is not None:
            out.append(name)
    return out


def _names() -> list[str]:
    from fewbits.vectors import quantizer_names

    return quantizer_names()
