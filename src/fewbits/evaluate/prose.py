"""Plain prose out of a docstring: tables, prompts, code and markup are left out."""

from __future__ import annotations

import re

# Sections of NumPy-style (underlined) and Google-style (colon, indented) docstrings that hold
# tables, not prose. "Notes" and "Warnings" read like text and stay.
_TABLES = frozenset(
    "parameters params args arguments keyword other returns return yields yield receives raises "
    "raise warns attributes methods example examples usage references see todo version "
    "deprecated".split()
)
_UNDERLINE = re.compile(r"^\s*([-=~^*+#\"'])\1{2,}\s*$")
_GOOGLE = re.compile(r"^\s*([A-Z][A-Za-z]+)( [A-Za-z]+)?:(\s|$)")
_FIELD = re.compile(r"^\s*(:\w[^:`]*:(\s|$)|@\w+|\.\. |(!!!|\?\?\?) )")
_SIGNATURE = re.compile(r"^\s*[\w.]+\([^)]*\)?[^.]*(->.*)?$")
_ROLE = re.compile(r":[\w+.:-]+:`~?([^`<]*?)(?:\s+<[^>]*>)?`")
_LINK = re.compile(
    r"(?<![\w\])])!?\[~?([^\]]+)\](?!_)(?:\([^)]*\)|\[[^\]]*\])?|`([^`<]+?)\s+<[^>]*>`_{0,2}"
)
_QUOTE = re.compile(r"^\s*>(?!>)\s?(\[!\w+\])?")
_MARKS = re.compile(r"`_{1,2}(?=\W|$)|\s*\[\w+\]_|[`*|]+")
_STOP = re.compile(r"(?<=[a-z0-9)\"'\]])[.!?](?=\s+[\"'(]?[A-Z0-9]|$)")
_SHORT = re.compile(r"\b(e\.g|i\.e|etc|vs|cf|resp|approx|Eq|No|Fig|Dr|Mr|St|al)$")
_WORD = re.compile(r"^[(\"']?[A-Za-z][A-Za-z'\u2019-]*[)\"'.,;:!?]*$")


def paragraphs(docstring: str) -> list[str]:
    """Return the paragraphs of prose of a cleaned docstring, one line each, in order."""
    groups: list[list[str]] = [[]]
    for line in _prose_lines(docstring.expandtabs().splitlines()):
        if line.strip():
            groups[-1].append(_QUOTE.sub("", line).strip())
        elif groups[-1]:
            groups.append([])
    plain = (_plain(" ".join(group)) for group in groups if group)
    return [text for text in plain if reads_like_prose(text) and not _announces(text)]


def split_first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence without its full stop, and what follows it.

    A text that only leads up to a list or an example (it ends with a colon) has no first sentence.
    """
    for match in _STOP.finditer(text):
        head = text[: match.start()]
        if not _SHORT.search(head):
            keep = match.group() if match.group() != "." else ""
            return head + keep, text[match.end() :].strip()
    return ("" if text.endswith(":") else text.rstrip(" .")), ""


def cut_words(text: str, limit: int) -> str:
    """Return at most `limit` words of `text`, up to the end of a sentence where one is near."""
    words = text.split()
    if len(words) <= limit:
        return " ".join(words)
    cut = " ".join(words[:limit])
    stop = max(cut.rfind(". "), cut.rfind("! "), cut.rfind("? "))
    return cut[: stop + 1] if stop > len(cut) // 2 else cut


def reads_like_prose(text: str) -> bool:
    """Tell whether at least three quarters of the words are ordinary words."""
    words = text.split()
    return sum(bool(_WORD.match(word)) for word in words) * 4 >= 3 * len(words) > 0


def _prose_lines(lines: list[str]) -> list[str]:
    """Blank out every line that belongs to a table, an example or a code block."""
    out: list[str] = []
    skipping: int | None = (
        None  # indentation of the block being left out; deeper lines belong to it
    )
    table = fenced = prompt = False
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if _UNDERLINE.match(following) and line.strip():  # a NumPy section begins
            table, skipping = line.split()[0].lower().rstrip(":") in _TABLES, None
            line = ""
        if not line.strip():
            prompt = False
        elif skipping is not None and indent <= skipping:
            skipping = None
        prompt = prompt or line.lstrip().startswith((">>>", "$ ", "In ["))
        if _opens_block(line) and skipping is None:
            skipping = indent
            out.append("" if _drops_line(line) else line.replace("::", ":"))
            continue
        hidden = table or fenced or prompt or skipping is not None
        out.append("" if hidden or _UNDERLINE.match(line) else line)
    if out and _SIGNATURE.match(out[0]) and "(" in out[0]:
        out[0] = ""
    return out


def _announces(text: str) -> bool:
    """Tell whether a paragraph is a few words that lead up to an example left out."""
    return text.endswith(":") and len(text.split()) < 12 and not _STOP.search(text)


def _opens_block(line: str) -> bool:
    return _drops_line(line) or line.rstrip().endswith("::")


def _drops_line(line: str) -> bool:
    google = _GOOGLE.match(line)
    if google and google.group(1).lower() in _TABLES:
        return True
    return bool(_FIELD.match(line))


def _plain(text: str) -> str:
    text = _MARKS.sub("", _LINK.sub(r"\1\2", _ROLE.sub(r"\1", text)))
    return " ".join(text.split())
