"""`fewbits model bench`: how fast a model is on this machine."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.model.options import DEFAULT, ModelName, Texts, first_texts, load
from fewbits.cli.options import AsJson, Field, Quiet, Threads
from fewbits.cli.progress import bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most texts read.")]
_Rounds = Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="Timed rounds.")]


class Executor(str, Enum):
    """What runs the model."""

    auto = "auto"
    native = "native"
    reference = "reference"


_Executor = Annotated[
    Executor, typer.Option("--executor", help="reference is the numpy specification.")
]


def bench(
    model: ModelName,
    texts: Texts,
    limit: _Limit = 512,
    rounds: _Rounds = 5,
    threads: Threads = None,
    executor: _Executor = Executor.auto,
    field: Field = "text",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time a model: texts per second, the wait for one short text, load time and memory."""
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.folders import folder_bytes
        from fewbits.evaluate import measure_speed
        from fewbits.vectors import simd_level

        chosen = first_texts(texts, limit, field)
        with bar("bench", quiet=quiet) as advance:
            found = measure_speed(
                lambda: load(model, executor=executor.value),
                chosen,
                threads=threads,
                rounds=rounds,
                advance=advance,
            )
        folder = Path(model)
        on_disk = model != DEFAULT and folder.is_dir()
        document = {
            "model": model,
            "level": simd_level(),
            **found.to_dict(),
            "folder_bytes": folder_bytes(folder) if on_disk else None,
        }
        out.result(document, lambda: _view(document))


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size

    resident, folder = document["resident_bytes"], document["folder_bytes"]
    lines: dict[str, object] = {
        "texts": f"{document['texts']:,}, {document['tokens']:,} tokens",
        "kernels": document["level"],
        "throughput": f"{document['texts_per_second']:,.0f} texts/s, "
        f"{document['tokens_per_second']:,.0f} tokens/s",
        f"one text of {document['short_tokens']} tokens": f"{1e3 * document['p50']:.2f} ms "
        f"(p95 {1e3 * document['p95']:.2f} ms)",
        "load": f"{1e3 * document['load_seconds']:.0f} ms",
        "memory": "unknown" if resident is None else f"{size(resident)} more than before the load",
        "disk": "not a folder" if folder is None else size(folder),
    }
    return [facts(lines)]
