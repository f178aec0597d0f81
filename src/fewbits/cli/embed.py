"""`fewbits embed`: texts in, vectors out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewbits.cli.options import AsJson, BatchTokens, Field, Model, PromptName, Quiet
from fewbits.cli.progress import Advance, bar
from fewbits.cli.session import session

if TYPE_CHECKING:
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
    batch_tokens: BatchTokens = 8192,
    prompt_name: PromptName = None,
    field: Field = "text",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn texts into vectors.

    Ids of .jsonl records go to X.ids.jsonl beside the vectors, where `fewbits quantize` finds
    them. Memory does not grow with the number of texts.
    """
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.idfiles import id_lines, ids_beside
        from fewbits.cli.texts import read_texts, text_file
        from fewbits.cli.vectorfile import write_vectors
        from fewbits.errors import InputError
        from fewbits.models import Encoder
        from fewbits.vectors.atomic import write_file

        if output.suffix != ".npy":
            raise InputError(f"--output must end in .npy, got {str(output)!r}")
        encoder = Encoder.load(model)
        with text_file(texts) as path, bar("embed", quiet=quiet) as advance:
            ids = [name for name, _ in read_texts(path, field)]
            if not ids:
                raise InputError(f"{texts} holds no text")
            ...
