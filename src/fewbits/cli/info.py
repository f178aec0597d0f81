"""`fewbits info`: what an index or a model folder is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import AsJson, Quiet
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="An index or a model folder.")]
_Verify = Annotated[
    bool,
    typer.Option("--verify/--no-verify", help="Compare all checksums of an index (reads it all)."),
]
_MODEL_FILES = ("modules.json", "config.json")


def info(
    folder: _Folder, verify: _Verify = True, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Describe and verify an index or a model folder."""
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.errors import InputError

        if not folder.is_dir():
            raise InputError(f"FOLDER must be an index or a model folder, got {str(folder)!r}")
        is_model = any((folder / name).is_file() for name in _MODEL_FILES)
        document = _model(folder) if is_model else _index(folder, verify)
        out.result(document, lambda: _view(document))


def _index(folder: Path, verify: bool) -> dict[str, Any]:
    from fewbits.cli.folders import folder_bytes
    from fewbits.vectors import Index

    about = Index.open(folder, verify=verify).info()
    return {
        "kind": "index",
        **about,
        "checksums": "verified" if verify else "not verified",
        "folder_bytes": folder_bytes(folder),
    }


def _model(folder: Path) -> dict[str, Any]:
    from fewbits.cli.folders import folder_bytes
    from fewbits.models import Encoder

    encoder = Encoder.load(folder)
    spec = encoder.spec
    counts = ("layers", "heads", "hidden_size", "intermediate_size", "vocab_size")
    return {
        "kind": "model",
        "path": str(folder),
        "family": spec.family,
        "dims": encoder.dims,
        "max_length": encoder.max_length,
        **{name: getattr(spec, name) for name in counts},
        "stages": [str(stage) for stage in spec.stages],
        "prompts": dict(encoder.prompts.by_name),
        "parameters": sum(tensor.size for tensor in encoder.weights.values()),
        "folder_bytes": folder_bytes(folder),
    }


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size

    lines = {key.replace("_", " "): _cell(value) for key, value in document.items()}
    lines["folder bytes"] = size(document["folder_bytes"])
    return [facts(lines)]


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={part}" for key, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)
