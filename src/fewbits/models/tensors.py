"""An encoder's numbers under a recipe: what the quantizer makes, a folder holds, executors run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Floats
from fewbits.models.panels import unpack_panels
from fewbits.models.recipe import ActivationMode, Recipe, WeightFormat

STORED = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16, "int8": np.int8}
"""Weight format -> dtype of the stored values; bfloat16 as its 16 bits."""


@dataclass(frozen=True)
class Activation:
    """How a linear takes its input.

    Attributes:
        mode: "float32", "dynamic" or "static".
        symmetric: see `Recipe`; for dynamic ranges.
        scale: static only: x = scale * smooth * (code - zero_point).
        zero_point: static only, 0 to 255.
        inverse: float32 (k,), inverse[i] = 1 / (scale * smooth[i]); the weights carry smooth.
            Static: code = clip(round(x * inverse) + zero_point, 0, 255). Dynamic: the rows
            x * inverse become codes; None where nothing is smoothed, and scale is 1.
    """

    mode: ActivationMode = "float32"
    symmetric: bool = False
    scale: float = 1.0
    zero_point: int = 0
    inverse: Floats | None = None


@dataclass(frozen=True)
class Linear:
    """One linear: w[j, i] = scale[j] * values[j, i] for int8, values[j, i] otherwise.

    Attributes:
        weights: the format of the values.
        values: panels (`fewbits.models.panels`) of dtype `STORED[weights]`.
        n: output channels.
        k: inputs.
        scale: float32 (n,) for int8, else None.
        bias: float32 (n,), or None.
        activation: how inputs are taken.
    """

    weights: WeightFormat
    values: NDArray[Any]
    n: int
    k: int
    scale: Floats | None = None
    bias: Floats | None = None
    activation: Activation = field(default_factory=Activation)

    def codes(self) -> NDArray[Any]:
        """Return the stored values as (n, k)."""
        return unpack_panels(self.values, self.n, self.k)

    def dense(self) -> Floats:
        """Return the weights as float32 (n, k)."""
        return widen(self.codes(), self.weights, self.scale)


@dataclass(frozen=True)
class Table:
    """An embedding table: row r is scale[r] * values[r] for int8, values[r] otherwise.

    Attributes:
        weights: the format of the values.
        values: (rows, width) of dtype `STORED[weights]`.
        scale: float32 (rows,) for int8, else None.
    """

    weights: WeightFormat
    values: NDArray[Any]
    scale: Floats | None = None

    def dense(self) -> Floats:
        """Return the table as float32 (rows, width)."""
        return widen(self.values, self.weights, self.scale)


@dataclass(frozen=True)
class Tensors:
    """All numbers of one encoder.

    Attributes:
        recipe: what they were made by.
        linears: module name -> linear, for every name of `spec.linears()`.
        tables: module name -> table.
        others: canonical tensor name -> float32 array: norms, relative bias.
    """

    recipe: Recipe
    linears: Mapping[str, Linear]
    tables: Mapping[str, Table]
    others: Mapping[str, Floats]

    def dense(self) -> dict[str, Floats]:
        """Return every tensor of `spec.shapes()` as float32: the weights that the codes stand for.

        A static linear's smoothing factors are taken out again, so that the result is a
        checkpoint for the float32 executors.
        """
        weights = dict(self.others)
        for name, table in self.tables.items():
            weights[f"{name}.weight"] = table.dense()
        for name, linear in self.linears.items():
            weights[f"{name}.weight"] = _unsmoothed(linear)
            if linear.bias is not None:
                weights[f"{name}.bias"] = linear.bias
        return weights


def widen(values: NDArray[Any], weights: WeightFormat, scale: Floats | None) -> Floats:
    """Return stored values as float32; `scale` per row for int8."""
    if weights == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    wide: Floats = values.astype(np.float32)
    return wide if scale is None else wide * scale[:, None]


def narrow_to_bfloat16(x: Floats) -> NDArray[np.uint16]:
    """Return the 16 bits of float32 values rounded to bfloat16, ties to even."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)


def _unsmoothed(linear: Linear) -> Floats:
    dense = linear.dense()
    taken = linear.activation
    if taken.inverse is None:
        return dense
    # inverse = 1 / (scale * smooth), and the stored weights are w * smooth.
    return dense * (taken.inverse * np.float32(taken.scale))
