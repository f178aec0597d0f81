"""The forward pass of any recipe in numpy: the specification of quantized executors.

A linear with 8-bit activations computes, per token row i and output channel j,

    sum[i, j] = sum over k of (code[i, k] - zero[i]) * values[j, k]     exact, |.| < 2^31
    out[i, j] = float32(sum[i, j]) * (row_scale[i] * scale[j]) + bias[j]

with codes from `row_codes` (dynamic) or `fixed_codes` (static). All else is float32, as in
`Reference`; weights of other formats are widened to float32 first.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, Floats
from fewbits.errors import ModelError
from fewbits.models.activations import ACTIVATIONS
from fewbits.models.agreement import check_tensors
from fewbits.models.batching import Batch
from fewbits.models.reference import Reference, Tap
from fewbits.models.spec import EncoderSpec
from fewbits.models.tensors import Activation, Linear, Table, Tensors, widen

Ints: TypeAlias = NDArray[np.int32]

MAX_INPUTS = 65_536
"""Inputs of a linear with 8-bit activations: 255 * 127 * 65,536 < 2^31."""

_LEAST_SPAN = np.float32(2.0**-100)  # rows of a smaller span are taken as zeros

# Inputs whose products of codes sum to integers below 2^24, which float32 holds exactly in
# whichever order a matrix product adds them: 255 * 127 * 512 < 2^24.
_EXACT = 512


class QuantizedReference(Reference):
    """Runs an `EncoderSpec` on the `Tensors` of any recipe; see `Reference` for calls and taps.

    Linears are held widened to float32 (4 bytes per weight), tables as they are stored: only the
    rows that a batch asks for are widened.
    """

    def __init__(self, spec: EncoderSpec, tensors: Tensors) -> None:
        """Take tensors that are those of `spec` under their recipe, see `check_tensors`.

        Raises:
            ModelError: an activation that is not known, tensors that do not match, a linear with
                8-bit activations and more than 65,536 inputs.
        """
        _check_activations(spec)
        check_tensors(spec, tensors)
        _check_inputs(tensors)
        self.spec = spec
        self.tensors = tensors
        self.weights = dict(tensors.others)
        self._wide = {name: _wide(linear) for name, linear in tensors.linears.items()}

    def linear(self, name: str, x: Floats, tap: Tap | None = None) -> Floats:
        """Return the linear's float32 output; a tap sees its input before it becomes codes."""
        if tap:
            tap(f"{name}.input", x)
        linear, wide = self.tensors.linears[name], self._wide[name]
        taken = linear.activation
        if taken.mode == "float32" or linear.scale is None:
            out: Floats = x @ wide
        else:
            codes, scale, zero = activation_codes(x, taken)
            out = exact_product(codes, zero, wide).astype(np.float32)
            out *= scale[:, None] * linear.scale
        if linear.bias is not None:
            out += linear.bias
        return out

    def _embed(self, batch: Batch) -> Floats:
        tables = self.tensors.tables
        x = gather(tables["embeddings.word"], batch.ids)
        positions = tables["embeddings.position"]
        for run in batch.runs:
            ids = batch.ids[run.tokens].reshape(run.count, run.length)
            x[run.tokens] += gather(positions, self._positions(ids).ravel())
        if self.spec.token_types:
            x += gather(tables["embeddings.token_type"], np.zeros(1, dtype=np.intp))
        self._norm("embeddings.norm", x)
        return x


def row_codes(x: Floats, symmetric: bool) -> tuple[Bytes, Floats, Ints]:
    """Return 8-bit codes of every row with a range of its own: x ~ scale * (code - zero).

    All in float32, rounded to nearest, ties to even. Asymmetric, with low = min(0, min x),
    high = max(0, max x) and span = high - low:

        scale = span / 255, inverse = 255 / span, zero = round(-low * inverse)

    Symmetric, with span = max |x|: scale = span / 127, inverse = 127 / span, zero = 128. Both:
    code = clip(round(x * inverse) + zero, 0, 255); a span below 2^-100 has scale 1, inverse 0.

    Args:
        x: float32 (rows, width), finite.
        symmetric: which of the two.

    Returns:
        codes uint8 (rows, width), scale float32 (rows,), zero int32 (rows,).
    """
    low: Floats = x.min(axis=1, initial=0)
    high: Floats = x.max(axis=1, initial=0)
    span = np.maximum(-low, high) if symmetric else high - low
    levels = np.float32(127 if symmetric else 255)
    tiny = span < _LEAST_SPAN
    span[tiny] = levels  # makes the scale 1
    scale = np.divide(span, levels, dtype=np.float32)
    inverse = np.divide(levels, span, dtype=np.float32)
    inverse[tiny] = 0
    zero = np.full_like(low, 128) if symmetric else np.rint(-low * inverse)
    return _codes(x, inverse[:, None], zero[:, None]), scale, zero.astype(np.int32)


def fixed_codes(x: Floats, inverse: Floats, zero_point: int) -> Bytes:
    """Return clip(round(x * inverse) + zero_point, 0, 255), uint8 (rows, width).

    Args:
        x: float32 (rows, width), finite.
        inverse: float32 (width,), one factor per input.
        zero_point: 0 to 255.
    """
    return _codes(x, inverse, np.float32(zero_point))


def activation_codes(x: Floats, taken: Activation) -> tuple[Bytes, Floats, Ints]:
    """Return codes, scale and zero per row as `row_codes` does, in either 8-bit mode.

    Dynamic ranges are those of x * inverse, where the linear has smoothing factors.
    """
    if taken.mode == "dynamic":
        return row_codes(x if taken.inverse is None else x * taken.inverse, taken.symmetric)
    assert taken.inverse is not None  # `check_tensors` says so
    scale = np.full(len(x), taken.scale, dtype=np.float32)
    zero = np.full(len(x), taken.zero_point, dtype=np.int32)
    return fixed_codes(x, taken.inverse, taken.zero_point), scale, zero


def exact_product(codes: Bytes, zero: Ints, wide: Floats) -> NDArray[np.float64]:
    """Return the integers (codes - zero) @ wide, exactly.

    Args:
        codes: uint8 (rows, k), k <= 65,536.
        zero: int32 (rows,), 0 to 255.
        wide: integers -127 to 127 as float32 (k, n).
    """
    out = np.zeros((len(codes), wide.shape[1]))
    for start in range(0, len(wide), _EXACT):
        part = slice(start, start + _EXACT)
        centred = codes[:, part].astype(np.float32)
        centred -= zero[:, None].astype(np.float32)
        out += centred @ wide[part]
    return out


def gather(table: Table, at: NDArray[np.integer]) -> Floats:
    """Return rows `at` (1-D) of a table as float32 (len(at), width)."""
    scale = None if table.scale is None else table.scale[at]
    return widen(table.values[at], table.weights, scale)


def _codes(x: Floats, inverse: Floats, zero: Floats | np.float32) -> Bytes:
    places = x * inverse
    np.rint(places, out=places)
    places += zero
    np.clip(places, 0, 255, out=places)
    return places.astype(np.uint8)


def _wide(linear: Linear) -> Floats:
    """Return (k, n): the codes where activations are 8-bit too, the weights otherwise."""
    exact = linear.activation.mode != "float32"
    rows = linear.codes().astype(np.float32) if exact else linear.dense()
    return np.ascontiguousarray(rows.T)


def _check_activations(spec: EncoderSpec) -> None:
    for name in (spec.activation, *(dense.activation for dense in spec.dense)):
        if name not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ModelError(f"activation {name!r} is not supported; supported: {known}")


def _check_inputs(tensors: Tensors) -> None:
    for name, linear in tensors.linears.items():
        if linear.activation.mode != "float32" and linear.k > MAX_INPUTS:
            raise ModelError(
                f"8-bit activations go with at most {MAX_INPUTS} inputs, got {linear.k} in "
                f"{name!r}; give it activations='float32'"
            )
