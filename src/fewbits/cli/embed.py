"""`fewbits embed`: texts in, vectors out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import AsJson, BatchTokens, Field, Model, PromptName, Quiet
from fewbits.cli.progress import Advance, bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.arrays import Floats
    from fewbits.models import Encoder

_Source = Annotated[
    str,
    typer.Argument(
        metavar="TEXTS",
        help="A .txt file (one text per line), a .jsonl file, a folder with corpus.jsonl, "
        "or - for lines from standard input. Files may end in .gz.",
    ),
]
_Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="X.npy", help="The file to write, float32.")
]
_TEXTS_AT_A_TIME = 2048


def embed(
    texts: _Source,
    output: _Target,
    model: Model = None,
    batch_tokens: BatchTokens = None,
    prompt_name: PromptName = None,
    field: Field = "text",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn texts into vectors.

    Ids of .jsonl records go to X.ids.jsonl beside the vectors, where `fewbits quantize` finds
    them. Vectors are written as they come, so memory does not grow with their number.
    """
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.texts import text_file
        from fewbits.models import Encoder

        _check_name(output)
        encoder = Encoder.load(model)
        with text_file(texts) as path:
            names = _names(path, field)
            options = {"batch_tokens": batch_tokens, "prompt_name": prompt_name}
            start = time.perf_counter()
            truncated = _write(output, encoder, path, field, len(names), options, quiet)
            seconds = time.perf_counter() - start
        ids = _write_ids(output, names)
        document = {
            "path": str(output),
            "rows": len(names),
            "dims": encoder.dims,
            "ids": None if ids is None else str(ids),
            "truncated": truncated,
            "max_length": encoder.max_length,
            "seconds": seconds,
        }
        out.result(document, lambda: _view(document))


def _check_name(output: Path) -> None:
    from fewbits.errors import InputError

    if output.suffix != ".npy":
        raise InputError(f"--output must end in .npy, got {str(output)!r}")


def _names(path: Path, field: str) -> list[str | None]:
    """Return the id of every text, after checking that they can serve as ids."""
    from fewbits.cli.texts import read_texts
    from fewbits.errors import InputError
    from fewbits.vectors.ids import as_ids, refuse_duplicates

    names = [name for name, _ in read_texts(path, field)]
    if not names:
        raise InputError(f"{path} holds no text")
    if names[0] is not None:
        refuse_duplicates(as_ids(names))
    return names


def _write(
    output: Path,
    encoder: Encoder,
    path: Path,
    field: str,
    count: int,
    options: dict[str, Any],
    quiet: bool,
) -> int:
    """Encode and write block by block; return how many texts were cut at the model's length."""
    from fewbits.cli.texts import batched, read_texts
    from fewbits.cli.vectorfile import write_vectors

    truncated = 0

    def blocks(advance: Advance) -> Iterator[Floats]:
        nonlocal truncated
        done = 0
        for items in batched(read_texts(path, field), _TEXTS_AT_A_TIME):
            texts = [text for _, text in items]
            yield encoder.encode(texts, progress=_after(done, count, advance), **options)
            truncated += encoder.truncated
            done += len(texts)

    with bar("embed", quiet=quiet) as advance:
        write_vectors(output, (count, encoder.dims), blocks(advance))
    return truncated


def _after(done: int, count: int, advance: Advance) -> Advance:
    """Return a progress function for a part of `count` texts of which `done` are done."""
    return lambda part, _: advance(done + part, count)


def _write_ids(output: Path, names: list[str | None]) -> Path | None:
    """Write the ids beside the vectors, or remove those of an older file."""
    from fewbits.cli.idfiles import id_lines, ids_beside
    from fewbits.storage.atomic import write_file

    path = ids_beside(output)
    given = [name for name in names if name is not None]
    if not given:
        path.unlink(missing_ok=True)
        return None
    write_file(path, id_lines(given))
    return path


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts

    rate = document["rows"] / max(document["seconds"], 1e-9)
    lines: dict[str, object] = {
        "vectors": f"{document['rows']:,} x {document['dims']} float32",
        "written to": document["path"],
        "ids": document["ids"] or "none given; row numbers",
        "speed": f"{rate:,.0f} texts/s",
    }
    if document["truncated"]:
        lines["cut"] = f"{document['truncated']:,} texts at {document['max_length']} tokens"
    return [facts(lines)]
