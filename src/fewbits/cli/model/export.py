"""`fewbits model export`: a model for other runtimes."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.model.options import ModelName, load
from fewbits.cli.options import AsJson, Quiet
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType


class Variant(str, Enum):
    """What the graph computes with."""

    float32 = "float32"
    float16 = "float16"
    int8_static = "int8-static"
    int8_dynamic = "int8-dynamic"


_Target = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Model folder; the graph goes to its onnx folder."
    ),
]
_Variant = Annotated[
    Variant,
    typer.Option("--onnx", help="Precision of the graph; int8-static needs a static model."),
]


def export(
    model: ModelName,
    output: _Target,
    onnx: _Variant = Variant.float32,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a model as an ONNX graph, pooling and normalisation inside."""
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.models.onnx import export_onnx

        path = export_onnx(load(model), output, variant=onnx.value)
        document = {"path": str(path), "variant": onnx.value, "bytes": path.stat().st_size}
        out.result(document, lambda: _view(document))


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size

    lines: dict[str, object] = {
        "graph": document["path"],
        "variant": document["variant"],
        "size": size(document["bytes"]),
    }
    return [facts(lines)]
