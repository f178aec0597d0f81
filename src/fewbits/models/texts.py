"""The gate for texts: strings that an encoding can hold."""

from __future__ import annotations

from collections.abc import Iterable

from fewbits.errors import InputError


def as_texts(texts: Iterable[str]) -> list[str]:
    """Return a list of the texts.

    Raises:
        InputError: no iterable, or an item that is not a string or not valid Unicode, naming its
            position.
    """
    if not isinstance(texts, Iterable):
        raise InputError(f"texts must be a str or an iterable of str, got {type(texts).__name__}")
    items = list(texts)
    for position, text in enumerate(items):
        if not isinstance(text, str):
            raise InputError(f"texts[{position}] must be a str, got {type(text).__name__}")
        if not text.isascii():
            check_unicode(text, f"texts[{position}]")
    return items


def check_unicode(text: str, name: str) -> None:
    """Refuse a lone surrogate; `name` is what the message calls the text."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} has a lone surrogate {text[error.start]!r} at character "
            f"{error.start}, which no text encoding can hold; decode the source with "
            f"errors='replace'"
        ) from error
