"""Whether tensors are those of a spec under their recipe: names, dtypes, shapes and values.

Executors take tensors that pass as they are, so that what a file says never leads a kernel astray.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import ModelError
from fewbits.models.panels import PANEL, panels_shape
from fewbits.models.recipe import Row, WeightFormat, tables_of
from fewbits.models.spec import EncoderSpec, Weights
from fewbits.models.tensors import STORED, Activation, Linear, Table, Tensors

_EXPONENT = np.uint16(0x7F80)  # of a bfloat16; all ones in infinities and NaN
_PIECE = 1 << 20  # values looked at together


def check_weights(spec: EncoderSpec, weights: Weights) -> None:
    """Refuse float32 weights whose names and shapes are not those of `spec.shapes()`.

    Raises:
        ModelError: naming the tensor, what was expected and what came.
    """
    for name, shape in spec.shapes().items():
        got = weights[name].shape if name in weights else "nothing"
        if got != shape:
            raise ModelError(f"weights[{name!r}] must have shape {shape}, got {got}")


def check_tensors(spec: EncoderSpec, tensors: Tensors) -> None:
    """Refuse tensors of other names, formats, dtypes or shapes than spec and recipe ask for.

    Scales, biases and other small arrays must be finite too; `check_values` looks at the rest.

    Raises:
        ModelError: naming the tensor, what was expected and what came.
    """
    rows = tensors.recipe.resolve(spec)
    shapes = spec.shapes()
    _check_names("linears", tensors.linears, spec.linears())
    _check_names("tables", tensors.tables, tables_of(spec))
    taken = {f"{name}.{kind}" for name in rows for kind in ("weight", "bias")}
    _check_names("others", tensors.others, [name for name in shapes if name not in taken])
    for name, linear in tensors.linears.items():
        n, k = shapes[f"{name}.weight"]
        _check_linear(name, linear, rows[name], (n, k), f"{name}.bias" in shapes)
    for name, table in tensors.tables.items():
        _check_table(name, table, rows[name], shapes[f"{name}.weight"])
    for name, array in tensors.others.items():
        _check_floats(name, array, shapes[name])


def check_values(tensors: Tensors) -> None:
    """Refuse stored weights that no quantizer makes: nan, infinity, -128, padding unlike 0.

    Raises:
        ModelError: naming the module.
    """
    modules: dict[str, Linear | Table] = {**tensors.tables, **tensors.linears}
    for name, module in modules.items():
        if not _all(module.values, _SOUND[module.weights]):
            bad = "-128" if module.weights == "int8" else "nan or infinity"
            raise ModelError(f"{name}.values hold {bad}, which no {module.weights} weights have")
        if isinstance(module, Linear):
            _check_padding(name, module)


def _check_names(what: str, found: Mapping[str, object], expected: Any) -> None:  # noqa: ANN401
    missing = [name for name in expected if name not in found]
    foreign = sorted(set(found) - set(expected))
    if missing or foreign:
        problem = f"nothing for {missing[0]!r}" if missing else f"{foreign[0]!r}"
        raise ModelError(f"tensors.{what} must hold the modules of the spec, got {problem}")


def _check_linear(
    name: str, linear: Linear, row: Row, shape: tuple[int, int], biased: bool
) -> None:
    n, k = shape
    if (linear.n, linear.k) != shape:
        raise ModelError(f"{name} must have shape {shape}, got {(linear.n, linear.k)}")
    _check_format(name, linear.weights, row.weights)
    _check_shape(name, linear.values, linear.weights, panels_shape(linear.weights, n, k))
    _check_optional(f"{name}.scale", linear.scale, (n,), linear.weights == "int8", positive=True)
    _check_optional(f"{name}.bias", linear.bias, (n,), biased or linear.bias is not None)
    _check_activation(name, linear.activation, row, k)


def _check_table(name: str, table: Table, row: Row, shape: tuple[int, ...]) -> None:
    _check_format(name, table.weights, row.weights)
    _check_shape(name, table.values, table.weights, shape)
    needed = table.weights == "int8"
    _check_optional(f"{name}.scale", table.scale, shape[:1], needed, positive=True)


def _check_activation(name: str, taken: Activation, row: Row, k: int) -> None:
    # What a static range is symmetric about lies in its zero-point.
    symmetric = row.symmetric if taken.mode == "dynamic" else taken.symmetric
    if (taken.mode, taken.symmetric) != (row.activations, symmetric):
        raise ModelError(
            f"{name} must take {row.activations} activations with symmetric={row.symmetric}, as "
            f"the recipe says, got {taken.mode} with symmetric={taken.symmetric}"
        )
    if not np.isfinite(taken.scale) or not taken.scale > 0:
        raise ModelError(
            f"{name}: the activation's scale must be finite and > 0, got {taken.scale}"
        )
    if not 0 <= taken.zero_point <= 255:
        raise ModelError(f"{name}: the zero-point must be 0 to 255, got {taken.zero_point}")
    needed = taken.mode == "static" or (taken.mode == "dynamic" and taken.inverse is not None)
    _check_optional(f"{name}.inverse", taken.inverse, (k,), needed, positive=True)


def _check_format(name: str, found: WeightFormat, expected: WeightFormat) -> None:
    if found != expected:
        raise ModelError(f"{name} must be stored as {expected}, as the recipe says, got {found}")


def _check_shape(
    name: str, values: NDArray[Any], weights: WeightFormat, shape: tuple[int, ...]
) -> None:
    if values.shape != shape or values.dtype != STORED[weights]:
        raise ModelError(
            f"{name}.values must be {np.dtype(STORED[weights])} {shape} for {weights} weights, "
            f"got {values.dtype} {values.shape}"
        )


def _check_padding(name: str, linear: Linear) -> None:
    """Kernels add up padding too: its weights must be zeros."""
    values = linear.values
    quads = values if values.ndim == 4 else values[..., None]
    past, beyond = linear.n % PANEL, linear.k % quads.shape[3]
    if (past and quads[-1, :, past:].any()) or (beyond and quads[:, -1, :, beyond:].any()):
        raise ModelError(f"{name}.values must be zero where panels are padded")


def _check_optional(
    name: str, array: object, shape: tuple[int, ...], needed: bool, *, positive: bool = False
) -> None:
    if needed:
        _check_floats(name, array, shape, positive=positive)
    elif array is not None:
        raise ModelError(f"{name} must be absent, got an array")


def _check_floats(
    name: str, array: object, shape: tuple[int, ...], *, positive: bool = False
) -> None:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.float32:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "nothing"
        raise ModelError(f"{name} must be float32 {shape}, got {got}")
    if not np.isfinite(array).all() or (positive and not (array > 0).all()):
        raise ModelError(f"{name} must be finite{' and > 0' if positive else ''} everywhere")


def _all(values: NDArray[Any], sound: Any) -> bool:  # noqa: ANN401 - a function of arrays
    flat = values.reshape(-1)
    starts = range(0, flat.size, _PIECE)
    return all(bool(sound(flat[start : start + _PIECE])) for start in starts)


_SOUND = {
    "float32": lambda x: np.isfinite(x).all(),
    "float16": lambda x: np.isfinite(x).all(),
    "bfloat16": lambda x: ((x & _EXPONENT) != _EXPONENT).all(),
    "int8": lambda x: x.min() > -128,
}
