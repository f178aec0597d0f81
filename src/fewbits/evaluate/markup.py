"""HTML built as a tree, so that every text and attribute is escaped by construction."""

from __future__ import annotations

import re
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

Child: TypeAlias = "Element | str | None"

# Characters that HTML does not allow, lone surrogates (no UTF-8) and direction overrides.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Element:
    """Return `<name attributes>children</name>`; None children and attributes are left out.

    Attribute names are written with underscores: `class_`, `aria_label`, `stroke_width`.
    """
    node = Element(name)
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:.1f}" if isinstance(value, float) else str(value)
            node.set(key.rstrip("_").replace("_", "-"), _printable(text))
    for child in children:
        _append(node, child)
    return node


def document(head: list[Element], body: list[Element]) -> str:
    """Return a complete English HTML page."""
    page = element("html", element("head", *head), element("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _append(node: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, str):
        text = _printable(child)
        if len(node):
            node[-1].tail = (node[-1].tail or "") + text
        else:
            node.text = (node.text or "") + text
    else:
        node.append(child)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
