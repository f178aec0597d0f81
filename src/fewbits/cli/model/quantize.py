"""`fewbits model quantize`: a model folder in, a small model folder out."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.model.options import ModelName, first_texts, load
from fewbits.cli.options import AsJson, Field, Quiet
from fewbits.cli.progress import bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.models import Recipe


class Method(str, Enum):
    """How weights and activations become small."""

    dynamic = "dynamic"
    static = "static"
    fp16 = "fp16"
    bf16 = "bf16"


_Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to write.")
]
_Method = Annotated[
    Method,
    typer.Option(
        "--method",
        help="dynamic: 8-bit weights, activation ranges found per token while running. static: "
        "ranges fixed by the calibration texts. fp16, bf16: weights stored in 16 bits.",
    ),
]
_RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe", metavar="FILE.json", help="Rows of precision per layer, instead of --method."
    ),
]
_Calibration = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        metavar="TEXTS",
        help="Texts like those to be encoded: needed for static, better weights for dynamic.",
    ),
]
_Limit = Annotated[
    int,
    typer.Option("--calibration-texts", metavar="N", min=1, help="Most calibration texts read."),
]


def quantize(
    model: ModelName,
    output: _Target,
    method: _Method = Method.dynamic,
    recipe: _RecipeFile = None,
    calibration: _Calibration = None,
    calibration_texts: _Limit = 512,
    field: Field = "text",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a model small: 8-bit or 16-bit weights, 8-bit activations."""
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.folders import folder_bytes
        from fewbits.models import quantize_model
        from fewbits.models.artifact import check_folder

        check_folder(output)  # before the work, not after it
        chosen = _recipe(method, recipe)
        encoder = load(model)
        texts = None
        if calibration is not None:
            texts = first_texts(calibration, calibration_texts, field)
        start = time.perf_counter()
        with bar("calibrate", quiet=quiet) as advance:
            small = quantize_model(encoder, chosen, calibration=texts, progress=advance)
        seconds = time.perf_counter() - start
        small.save(output)
        document = {
            "path": str(output),
            "recipe": small.recipe.to_dict(),
            "calibration_texts": 0 if texts is None else len(texts),
            "seconds": seconds,
            "folder_bytes": folder_bytes(output),
            "float32_bytes": sum(4 * tensor.size for tensor in encoder.weights.values()),
        }
        out.result(document, lambda: _view(document))


def _recipe(method: Method, file: Path | None) -> Recipe:
    from fewbits.models import Recipe

    if file is not None:
        return _read_recipe(file)
    if method is Method.fp16:
        return Recipe.fp16()
    if method is Method.bf16:
        return Recipe.bf16()
    return Recipe.int8("static" if method is Method.static else "dynamic")


def _read_recipe(file: Path) -> Recipe:
    import json

    from fewbits.errors import FormatError
    from fewbits.models import Recipe

    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file} is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise FormatError(f"{file} must hold an object with rows, got {type(data).__name__}")
    return Recipe.from_dict(data)


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size

    lines: dict[str, object] = {
        "model": document["path"],
        "recipe": document["recipe"]["name"],
        "size": f"{size(document['folder_bytes'])} "
        f"(float32 weights alone: {size(document['float32_bytes'])})",
        "calibration texts": f"{document['calibration_texts']:,}",
        "time": f"{document['seconds']:.1f} s",
    }
    return [facts(lines)]
