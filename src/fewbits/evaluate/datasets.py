"""Retrieval data sets: texts, queries and judgements from a BEIR-style folder; vectors from .npy.

corpus.jsonl[.gz]    {"_id" | "id", "title"?, "text"}      one document per line
queries.jsonl[.gz]   {"_id" | "id", "text"}                one query per line
qrels.tsv[.gz] or qrels/<split>.tsv[.gz]                   query id, document id, grade; tabs
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import blocks
from fewbits.errors import FormatError, InputError, StorageError
from fewbits.evaluate.textlines import existing, read_lines, read_objects


@dataclass(frozen=True)
class Dataset:
    """Documents, queries and who is relevant to whom.

    `docs[i]` is the text of `doc_ids[i]`, `queries[i]` that of `query_ids[i]`; `qrels[query id]`
    maps document ids to grades. `dropped` counts what the reader left out, by reason.
    """

    name: str
    doc_ids: list[str]
    docs: list[str]
    query_ids: list[str]
    queries: list[str]
    qrels: dict[str, dict[str, int]]
    dropped: dict[str, int] = field(default_factory=dict)


def read_dataset(
    folder: str | Path, *, split: str = "test", judged: bool = True, unknown: str = "error"
) -> Dataset:
    """Read a BEIR-style folder.

    A document's text is its title, if any, a space, and its text. Ids may be strings or integers
    and become strings. A first line of the judgements without an integer grade is a header; the
    four-column TREC layout (query, 0, document, grade) is read as well.

    Args:
        folder: the folder described at the head of this module.
        split: which `qrels/<split>.tsv` to read when there is no `qrels.tsv`.
        judged: False reads a folder without judgements (`qrels` is then empty).
        unknown: judgements that name a document or query the files do not hold: "error" refuses
            them, "drop" leaves them out, counts them in `dropped` and warns once. Dropping makes
            the ideal ranking easier, so it is never done unasked.

    Raises:
        InputError: the folder or one of its files is missing, or an argument is unknown.
        FormatError: a file is empty, damaged or inconsistent; names the file and line.
        StorageError: the operating system refused to read a file.
    """
    root = Path(folder)
    if unknown not in ("error", "drop"):
        raise InputError(f'unknown must be "error" or "drop", got {unknown!r}')
    if not root.is_dir():
        raise InputError(f"folder must be a directory with corpus.jsonl in it, got {str(root)!r}")
    doc_ids, docs = _read_texts(_required(root, "corpus.jsonl"), titled=True)
    query_ids, queries = _read_texts(_required(root, "queries.jsonl"), titled=False)
    data = Dataset(root.resolve().name, doc_ids, docs, query_ids, queries, qrels={})
    if judged:
        _read_judgements(_required(root, "qrels.tsv", f"qrels/{split}.tsv"), data, unknown)
    return data


def read_vectors(path: str | Path, *, rows: int | None = None) -> NDArray[Any]:
    """Return the float vectors of a `.npy` file, memory-mapped read-only, shape (n, d).

    Every value is checked once, in blocks, so that later reads may trust the file.

    Args:
        path: a `.npy` file with float16, float32 or float64 values.
        rows: how many rows it must hold (the number of texts), or None for any.

    Raises:
        InputError: missing file, wrong type or shape, NaN or infinity (row and column are named).
        FormatError: not a `.npy` file, a truncated one, or one that holds Python objects.
    """
    file = Path(path)
    try:
        x = np.load(file, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{file} is not a readable file: {error.strerror}") from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise FormatError(f"{file} is not a complete .npy file of numbers: {error}") from error
    except OSError as error:
        raise StorageError(f"{file} could not be read: {error}") from error
    if not isinstance(x, np.ndarray):
        x.close()
        raise FormatError(f"{file} is an .npz archive; save one array with numpy.save")
    if rows is not None and (x.ndim != 2 or len(x) != rows):
        raise InputError(f"{file} must hold {rows} rows, one per text, got shape {x.shape}")
    for _ in blocks(x, file.name):
        pass
    return x


def _required(root: Path, *names: str) -> Path:
    path = existing(root, *names)
    if path is None:
        cure = "" if "qrels.tsv" not in names else "; judged=False reads texts only"
        wanted = " or ".join(f"{name}[.gz]" for name in names)
        raise InputError(f"{root} holds no {wanted}{cure}")
    return path


def _read_texts(path: Path, *, titled: bool) -> tuple[list[str], list[str]]:
    seen: dict[str, int] = {}
    texts: list[str] = []
    for number, record in read_objects(path):
        where = f"{path}, line {number}"
        name = _id(record, where)
        if name in seen:
            raise FormatError(f"{where}: id {name!r} was given before, on line {seen[name]}")
        seen[name] = number
        text = _text(record, "text", where)
        title = _text(record, "title", where) if titled and record.get("title") else ""
        texts.append(f"{title} {text}".strip())
    if not texts:
        raise FormatError(f"{path} is empty; expected one JSON object per line")
    return list(seen), texts


def _id(record: dict[str, Any], where: str) -> str:
    value = record.get("_id", record.get("id"))
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise FormatError(f'{where}: expected an "_id" or "id" (string or integer), got {value!r}')
    return _clean(str(value), "id", where)


def _text(record: dict[str, Any], key: str, where: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise FormatError(f'{where}: "{key}" must be a string, got {value!r:.80}')
    return _clean(value, key, where)


def _clean(value: str, key: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f'{where}: "{key}" holds a lone surrogate, which is no text') from error
    return value


def _read_judgements(path: Path, data: Dataset, unknown: str) -> None:
    known = {"query": set(data.query_ids), "document": set(data.doc_ids)}
    first = True
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        fields = _fields(line, where)
        grade = _grade(fields[2], where, header=first)
        first = False
        if grade is None:
            continue
        query, document = fields[0], fields[1]
        strange = [kind for kind in known if fields[kind == "document"] not in known[kind]]
        if strange:
            _unknown(strange[0], f"{query} -> {document}", where, unknown, data)
            continue
        judged = data.qrels.setdefault(query, {})
        if judged.get(document, grade) != grade:
            raise FormatError(f"{where}: {query} -> {document} has two unlike grades")
        judged[document] = grade
    if not data.qrels:
        raise FormatError(f"{path} holds no judgement for these queries and documents")
    for kind, count in data.dropped.items():
        warnings.warn(f"{path}: left out {count} judgements with {kind}", stacklevel=4)


def _fields(line: str, where: str) -> tuple[str, str, str]:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) == 4:
        fields.pop(1)
    if len(fields) != 3:
        raise FormatError(
            f"{where}: expected query id, document id and grade between tabs, "
            f"got {len(fields)} fields"
        )
    return fields[0].strip(), fields[1].strip(), fields[2].strip()


def _grade(text: str, where: str, *, header: bool) -> int | None:
    try:
        return int(text)
    except ValueError:
        if header:
            return None
        raise FormatError(f"{where}: the grade must be an integer, got {text!r:.80}") from None


def _unknown(kind: str, pair: str, where: str, unknown: str, data: Dataset) -> None:
    if unknown == "error":
        raise FormatError(
            f"{where}: {pair} names an unknown {kind}; "
            f'unknown="drop" leaves such judgements out and counts them'
        )
    reason = f"an unknown {kind}"
    data.dropped[reason] = data.dropped.get(reason, 0) + 1
