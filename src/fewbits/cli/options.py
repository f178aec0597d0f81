"""Options that several commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from fewbits.cli.choices import check_quantizer_or_none


class MetricName(str, Enum):
    """The similarity that scores mean."""

    cosine = "cosine"
    ip = "ip"
    l2 = "l2"


AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, show_default="all cores", help="Most threads."),
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FOLDER",
        show_default="the installed all-MiniLM-L6-v2",
        help="Model folder in the sentence-transformers or Hugging Face layout.",
    ),
]
BatchTokens: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--batch-tokens",
        metavar="N",
        min=1,
        show_default="what suits the executor",
        help="Tokens computed between two reports of progress; results do not change.",
    ),
]
PromptName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--prompt-name",
        metavar="NAME",
        show_default="the model's default",
        help="Name of the model's prompt that is put before every text.",
    ),
]
Metric: TypeAlias = Annotated[
    MetricName,
    typer.Option("--metric", metavar="METRIC", help="cosine, ip or l2; higher scores are better."),
]
Rescore: TypeAlias = Annotated[
    str,
    typer.Option(
        "--rescore",
        metavar="NAME",
        callback=check_quantizer_or_none,
        help="Second copy that candidates are scored with again: {quantizers}, or none.",
    ),
]
Field: TypeAlias = Annotated[
    str,
    typer.Option(
        "--field",
        metavar="NAME",
        help='Which field of a .jsonl record is the text; before "text" goes its "title", if any.',
    ),
]
