"""The commands of `fewbits model`."""

from __future__ import annotations

import typer

from fewbits.cli.model.bench import bench
from fewbits.cli.model.evaluate import evaluate
from fewbits.cli.model.export import export
from fewbits.cli.model.info import info
from fewbits.cli.model.quantize import quantize

model = typer.Typer(
    name="model",
    help="Make an embedding model small and see what it keeps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _example(line: str) -> str:
    # \b keeps the line as it is.
    return f"\b\nExample:\n  {line}"


model.command(
    epilog=_example("fewbits model quantize MODEL -o minilm-int8 --method dynamic"),
)(quantize)
model.command(epilog=_example("fewbits model info minilm-int8"))(info)
model.command(
    epilog=_example("fewbits model evaluate minilm-int8 --texts texts.txt --pairs stsb-en"),
)(evaluate)
model.command(epilog=_example("fewbits model bench minilm-int8 --texts texts.txt"))(bench)
model.command(epilog=_example("fewbits model export minilm-int8 -o exported --onnx int8-dynamic"))(
    export
)
