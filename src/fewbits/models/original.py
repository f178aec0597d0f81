"""The numbers of a model as it was trained."""

from __future__ import annotations

from fewbits.arrays import Floats
from fewbits.models.checkpoint import read_linear, read_weights
from fewbits.models.outline import Outline
from fewbits.models.panels import pack_panels
from fewbits.models.recipe import Recipe, tables_of
from fewbits.models.spec import EncoderSpec, Weights
from fewbits.models.tensors import Linear, Table, Tensors


def read_original(outline: Outline) -> dict[str, Floats]:
    """Return a checkpoint's tensors under canonical names, float32.

    Raises:
        ModelError: a missing or damaged file or tensor, a shape that the config contradicts.
    """
    parts, spec = outline.parts, outline.spec
    weights = read_weights(parts.transformer, outline.family, spec)
    for j, (dense, folder) in enumerate(zip(spec.dense, parts.dense, strict=True)):
        tensors = read_linear(folder, dense.out_features, dense.in_features, dense.bias)
        weights.update(zip((f"dense.{j}.weight", f"dense.{j}.bias"), tensors, strict=False))
    return weights


def pack_float32(spec: EncoderSpec, weights: Weights) -> Tensors:
    """Return weights that match the spec as tensors of `Recipe.float32()`.

    Linears are copied into panels, all else is taken as it is.
    """
    linears = {name: _linear(weights, name) for name in spec.linears()}
    tables = {name: Table("float32", weights[f"{name}.weight"]) for name in tables_of(spec)}
    taken = {f"{name}.{kind}" for name in (*linears, *tables) for kind in ("weight", "bias")}
    others = {name: weights[name] for name in spec.shapes() if name not in taken}
    return Tensors(Recipe.float32(), linears, tables, others)


def _linear(weights: Weights, name: str) -> Linear:
    w = weights[f"{name}.weight"]
    n, k = w.shape
    return Linear("float32", pack_panels(w), n, k, bias=weights.get(f"{name}.bias"))
