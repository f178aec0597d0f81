"""`fewbits model info`: what a model folder holds, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fewbits.cli.model.options import ModelName, load
from fewbits.cli.options import AsJson, Quiet
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.models import Encoder


def info(model: ModelName, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Describe a model: its shape, its recipe, and the bytes of every module."""
    with session(as_json=as_json, quiet=quiet) as out:
        document = _document(load(model))
        out.result(document, lambda: _view(document))


def _document(encoder: Encoder) -> dict[str, Any]:
    spec, tensors = encoder.spec, encoder.tensors
    modules: list[dict[str, Any]] = [
        {
            "name": name,
            "shape": list(table.values.shape),
            "weights": table.weights,
            "activations": None,
            "bytes": table.values.nbytes + _bytes(table.scale),
        }
        for name, table in tensors.tables.items()
    ]
    modules += [
        {
            "name": name,
            "shape": [linear.n, linear.k],
            "weights": linear.weights,
            "activations": linear.activation.mode,
            "bytes": linear.values.nbytes
            + sum(map(_bytes, (linear.scale, linear.bias, linear.activation.inverse))),
        }
        for name, linear in tensors.linears.items()
    ]
    counts = ("layers", "heads", "hidden_size", "intermediate_size", "vocab_size", "max_length")
    return {
        "family": spec.family,
        "source": None if encoder.source is None else str(encoder.source),
        "dims": encoder.dims,
        **{name: getattr(spec, name) for name in counts},
        "stages": [str(stage) for stage in spec.stages],
        "recipe": encoder.recipe.to_dict(),
        "bytes": sum(module["bytes"] for module in modules)
        + sum(array.nbytes for array in tensors.others.values()),
        "modules": modules,
    }


def _bytes(values: Any) -> int:  # noqa: ANN401 - an array or None
    return 0 if values is None else int(values.nbytes)


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size, table

    shape = (
        f"{document['layers']} layers, {document['heads']} heads, "
        f"{document['hidden_size']} x {document['intermediate_size']}"
    )
    lines: dict[str, object] = {
        "family": document["family"],
        "folder": document["source"] or "none",
        "shape": shape,
        "vectors": f"{document['dims']} dimensions",
        "longest text": f"{document['max_length']} tokens",
        "recipe": document["recipe"]["name"],
        "weights": size(document["bytes"]),
    }
    rows = [
        [
            module["name"],
            " x ".join(map(str, module["shape"])),
            module["weights"],
            module["activations"] or "",
            size(module["bytes"]),
        ]
        for module in document["modules"]
    ]
    return [facts(lines), table(["module", "shape", "weights", "activations", "size"], rows)]
