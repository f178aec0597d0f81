"""Tensors as named arrays and back: `<module>.values`, `.scale`, `.bias`, `.inverse`, and others.

Nothing is copied: what `join` gets memory-mapped stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import FormatError
from fewbits.models.recipe import Recipe, Row, tables_of
from fewbits.models.spec import EncoderSpec
from fewbits.models.tensors import Activation, Linear, Table, Tensors

Array = NDArray[Any]
ALIGNMENT = 64  # bytes; what the kernels ask of a linear's values


def split(tensors: Tensors) -> dict[str, Array]:
    """Return all arrays of `tensors` by name."""
    arrays: dict[str, Array | None] = dict(tensors.others)
    for name, table in tensors.tables.items():
        arrays |= {f"{name}.values": table.values, f"{name}.scale": table.scale}
    for name, linear in tensors.linears.items():
        arrays |= {
            f"{name}.values": linear.values,
            f"{name}.scale": linear.scale,
            f"{name}.bias": linear.bias,
            f"{name}.inverse": linear.activation.inverse,
        }
    return {name: array for name, array in arrays.items() if array is not None}


def join(
    arrays: Mapping[str, Array],
    spec: EncoderSpec,
    recipe: Recipe,
    ranges: Mapping[str, tuple[float, int]],
) -> Tensors:
    """Return the tensors that `split` took apart; `check_tensors` says whether they fit.

    Args:
        arrays: what `split` returned.
        spec: the model as data.
        recipe: what the tensors were made by.
        ranges: static linear -> (scale, zero_point).

    Raises:
        FormatError: an array that is missing, or one that nothing asks for.
        ModelError: the recipe is not for this spec.
    """
    rows, shapes = recipe.resolve(spec), spec.shapes()
    left = dict(arrays)
    tables = {
        name: Table(
            rows[name].weights, _take(left, name, "values"), left.pop(f"{name}.scale", None)
        )
        for name in tables_of(spec)
    }
    linears = {
        name: _linear(left, name, shapes[f"{name}.weight"], rows[name], ranges.get(name))
        for name in spec.linears()
    }
    taken = {f"{name}.{kind}" for name in rows for kind in ("weight", "bias")}
    others = {name: left.pop(name) for name in shapes if name not in taken and name in left}
    if left:
        raise FormatError(f"holds {min(left)!r}, which the recipe has no use for")
    return Tensors(recipe, linears, tables, others)


def _linear(
    left: dict[str, Array],
    name: str,
    shape: tuple[int, ...],
    row: Row,
    static: tuple[float, int] | None,
) -> Linear:
    if (static is not None) != (row.activations == "static"):
        raise FormatError(
            f"{name} must {'' if static is None else 'not '}have a static range, as the recipe says"
        )
    values = _aligned(_take(left, name, "values"))
    scale, bias = left.pop(f"{name}.scale", None), left.pop(f"{name}.bias", None)
    step, zero_point = static or (1.0, 0)
    inverse = left.pop(f"{name}.inverse", None)
    taken = Activation(row.activations, row.symmetric, step, zero_point, inverse)
    return Linear(row.weights, values, shape[0], shape[1], scale, bias, taken)


def _take(left: dict[str, Array], name: str, kind: str) -> Array:
    if f"{name}.{kind}" not in left:
        raise FormatError(f"holds no {name}.{kind}; the recipe needs it")
    return left.pop(f"{name}.{kind}")


def _aligned(values: Array) -> Array:
    """Return `values`, copied only if the file could not align them (odd k in 16 bits)."""
    if values.ctypes.data % ALIGNMENT == 0:
        return values
    room = np.empty(values.nbytes + ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    copy.flags.writeable = False
    return copy
