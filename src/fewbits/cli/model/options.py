"""Options and arguments that the model commands share."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from fewbits.models import Encoder
    from fewbits.models.executors import ExecutorName

ModelName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model folder (original or quantized), the name of one on the Hugging Face hub "
        "where huggingface_hub is installed, or `default` for the installed all-MiniLM-L6-v2.",
    ),
]
Original: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--original",
        metavar="MODEL",
        show_default="what MODEL was made from, else the installed all-MiniLM-L6-v2",
        help="The model to compare with.",
    ),
]
Texts: TypeAlias = Annotated[
    str,
    typer.Option(
        "--texts",
        metavar="TEXTS",
        help="A .txt file (one text per line), a .jsonl file, a folder with corpus.jsonl, "
        "or - for lines from standard input. Files may end in .gz.",
    ),
]
DEFAULT = "default"


def load(name: str, executor: ExecutorName = "auto") -> Encoder:
    """Return the encoder that MODEL means."""
    from fewbits.models import Encoder

    return Encoder.load(None if name == DEFAULT else name, executor=executor)


def first_texts(source: str, limit: int, field: str = "text") -> list[str]:
    """Return up to `limit` texts of a source, blank ones left out.

    Raises:
        InputError: the source holds no text.
    """
    from fewbits.cli.texts import read_texts, text_file
    from fewbits.errors import InputError

    with text_file(source) as path:
        texts = (text for _, text in read_texts(path, field) if text.strip())
        found = list(islice(texts, limit))
    if not found:
        raise InputError(f"{source} holds no text")
    return found
