"""A retrieval data set that every machine already has: the docstrings of its Python packages.

A query is the first sentence of a docstring, its document is the rest of the same docstring, so
relevance is known by construction. Sources are parsed with `ast`; nothing is imported or run.
"""

from __future__ import annotations

import ast
import os
import random
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from fewbits.arrays import as_count
from fewbits.errors import InputError
from fewbits.evaluate.datasets import Dataset
from fewbits.evaluate.prose import cut_words, paragraphs, reads_like_prose, split_first_sentence

_SKIPPED_FOLDERS = frozenset(
    "test tests testing idle_test lib2to3 turtledemo site-packages dist-packages "
    "_distutils __pycache__".split()
)
_MAX_SOURCE = 1 << 20  # bytes; larger files are generated tables
_QUERY_WORDS = (5, 30)
_DOC_WORDS = 20
_BOILERPLATE = re.compile(r"copyright|licen[cs]e|generated (file|by)|automatically generated", re.I)
_SURPLUS = 1.15  # found beyond the wanted size, because later files show which queries repeat

_Scope: TypeAlias = "ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef"


@dataclass(frozen=True)
class _Pair:
    name: str
    query: str
    doc: str


def docstring_dataset(
    size: int = 3000,
    *,
    queries: int | None = None,
    seed: int = 0,
    max_words: int = 120,
    roots: Sequence[str | Path] | None = None,
) -> Dataset:
    """Return up to `size` documents with one query each, from installed Python sources.

    The order is the same for the same installed files and seed: paths are sorted, shuffled with
    the seed and read until enough pairs are found, then sorted by id and sampled. Ids are dotted
    names such as `json.decoder.JSONDecoder`. Texts that repeat, and queries that more than one
    docstring opens with, are left out and counted in `dropped`, as are files that cannot be read
    or parsed.

    Args:
        size: number of documents wanted.
        queries: keep the first this many queries, or None for all of them.
        seed: of the shuffle and the sample.
        max_words: documents are cut to this many words, at a sentence end where one is near.
        roots: folders to read; None reads the standard library and site-packages.

    Raises:
        InputError: no docstring fits, or an argument is out of range.
    """
    size = as_count(size, "size", least=1)
    max_words = as_count(max_words, "max_words", least=_DOC_WORDS)
    kept = size if queries is None else as_count(queries, "queries", least=1)
    folders = [Path(root) for root in roots] if roots is not None else _installed()
    rng = random.Random(seed)
    dropped: Counter[str] = Counter()
    pairs = _collect(folders, rng, int(size * _SURPLUS) + 1, max_words, dropped)
    if not pairs:
        raise InputError(f"roots hold no docstring of use: {', '.join(map(str, folders))}")
    chosen = rng.sample(pairs, min(size, len(pairs)))
    return Dataset(
        name="Python docstrings",
        doc_ids=[pair.name for pair in chosen],
        docs=[pair.doc for pair in chosen],
        query_ids=[f"q:{pair.name}" for pair in chosen[:kept]],
        queries=[pair.query for pair in chosen[:kept]],
        qrels={f"q:{pair.name}": {pair.name: 1} for pair in chosen[:kept]},
        dropped=dict(dropped),
    )


def _installed() -> list[Path]:
    paths = sysconfig.get_paths()
    return [Path(path) for path in dict.fromkeys(paths[key] for key in ("stdlib", "purelib"))]


def _collect(
    folders: Sequence[Path], rng: random.Random, enough: int, max_words: int, dropped: Counter[str]
) -> list[_Pair]:
    files = [(folder, path) for folder in folders for path in _sources(folder)]
    rng.shuffle(files)
    found: list[_Pair] = []
    seen: set[str] = set()
    openings: Counter[str] = Counter()
    for folder, path in files:
        for pair in _pairs(folder, path, max_words, dropped):
            keys = {pair.name, pair.doc.lower()}
            if not seen.isdisjoint(keys):
                dropped["repeated document"] += 1
                continue
            seen |= keys
            openings[pair.query.lower()] += 1
            found.append(pair)
        if len(found) >= enough:
            break
    unique = [pair for pair in found if openings[pair.query.lower()] == 1]
    dropped["repeated query"] += len(found) - len(unique)
    return sorted(unique, key=lambda pair: pair.name)


def _sources(folder: Path) -> list[Path]:
    out: list[Path] = []
    for current, names, files in os.walk(folder):
        names[:] = [name for name in names if name not in _SKIPPED_FOLDERS]
        out += [Path(current, name) for name in files if name.endswith(".py")]
    return sorted(out)


def _pairs(root: Path, path: Path, max_words: int, dropped: Counter[str]) -> Iterator[_Pair]:
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_SOURCE or (b'"""' not in raw and b"'''" not in raw):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning of other people's escapes
            tree = ast.parse(raw)
    except OSError:
        dropped["unreadable file"] += 1
        return
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        dropped["file that does not parse"] += 1
        return
    parts = path.relative_to(root).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    for name, text in _docstrings(tree, module):
        pair = _pair(name, text, max_words)
        if pair is not None:
            yield pair


def _docstrings(scope: _Scope, name: str) -> Iterator[tuple[str, str]]:
    """Yield (dotted name, docstring) of a module or class and all that is defined in it."""
    text = ast.get_docstring(scope)
    if text:
        yield name, text
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    for node in _statements(scope.body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings(node, f"{name}.{node.name}")


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those under `if` and `try` in place."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)):
            yield from _statements(node.body)
            yield from _statements(node.orelse)


def _pair(name: str, docstring: str, max_words: int) -> _Pair | None:
    texts = paragraphs(docstring)
    if not texts:
        return None
    query, rest = split_first_sentence(texts[0])
    doc = cut_words(" ".join([rest, *texts[1:]]), max_words)
    least, most = _QUERY_WORDS
    if not least <= len(query.split()) <= most or len(doc.split()) < _DOC_WORDS:
        return None
    if not reads_like_prose(query) or _BOILERPLATE.search(query):
        return None
    return _Pair(name, query, doc)
