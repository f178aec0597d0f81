"""Activation functions on float32 arrays, in place and in cache-sized pieces.

GELU is x * Phi(x), Phi the normal distribution function. With z = |x| and t = 1 / (1 + p z),

    1 - Phi(z) = t (a1 + a2 t + a3 t^2 + a4 t^3 + a5 t^4) exp(-z^2 / 2)

which is Abramowitz and Stegun 7.1.26 for erf, its argument and its factor 1/2 folded into the
constants; erf is then known to 1.5e-7. GELU follows as max(x, 0) - z (1 - Phi(z)), without the
cancellation that 1 + erf(x) suffers for negative x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from fewbits.arrays import Floats

InPlace: TypeAlias = Callable[[Floats], None]

_PIECE = 32_768  # elements handled at a time: three pieces of 128 KiB stay in an L2 cache

_ERF_P = 0.3275911
_ERF_A = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)  # a5 ... a1

_ERF_FLAT = np.float32(10)  # from here on erf is 1 in float32, and squares cannot overflow

_P = np.float32(_ERF_P / np.sqrt(2.0))
_A = tuple(np.float32(a / 2) for a in _ERF_A)


def erf(x: Floats) -> Floats:
    """Return the error function of `x`, absolute error <= 3e-7."""
    z = np.minimum(np.abs(x), _ERF_FLAT) * np.float32(np.sqrt(2.0))
    tail = np.empty_like(z)
    _upper_tail(z, tail)
    return np.copysign(1 - 2 * tail, x, dtype=np.float32)


def _upper_tail(z: Floats, out: Floats) -> None:
    """Write 1 - Phi(z) for z >= 0 into `out`; `z` ends up as exp(-z^2 / 2)."""
    t = z * _P
    t += 1
    np.reciprocal(t, out=t)
    np.multiply(t, _A[0], out=out)
    for a in _A[1:]:
        out += a
        out *= t
    z *= z
    z *= np.float32(-0.5)
    np.exp(z, out=z)
    out *= z


def _gelu(x: Floats) -> None:
    z = np.abs(x)
    magnitude = z.copy()
    tail = np.empty_like(z)
    _upper_tail(z, tail)
    tail *= magnitude
    np.maximum(x, 0, out=x)
    x -= tail


def _gelu_tanh(x: Floats) -> None:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), GPT-2's approximation."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= np.float32(np.sqrt(2 / np.pi))
    np.tanh(inner, out=inner)
    inner += 1
    x *= np.float32(0.5)
    x *= inner


def _sigmoid(x: Floats) -> None:
    np.negative(x, out=x)
    np.minimum(x, np.float32(88), out=x)  # exp(88) is the last that fits float32
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


def _silu(x: Floats) -> None:
    gate = x.copy()
    _sigmoid(gate)
    x *= gate


def _in_pieces(whole: InPlace) -> InPlace:
    def run(x: Floats) -> None:
        flat = x.reshape(-1)  # a view: the executors pass contiguous arrays
        # A square beyond float32 becomes infinite, and each formula's limit there is right.
        with np.errstate(over="ignore"):
            for start in range(0, flat.size, _PIECE):
                whole(flat[start : start + _PIECE])

    return run


def _relu(x: Floats) -> None:
    np.maximum(x, 0, out=x)


def _tanh(x: Floats) -> None:
    np.tanh(x, out=x)


def _identity(x: Floats) -> None:
    """Leave `x` as it is."""


ACTIVATIONS: Mapping[str, InPlace] = {
    "gelu": _in_pieces(_gelu),
    "gelu_new": _in_pieces(_gelu_tanh),
    "gelu_pytorch_tanh": _in_pieces(_gelu_tanh),
    "silu": _in_pieces(_silu),
    "swish": _in_pieces(_silu),
    "relu": _relu,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "identity": _identity,
}
"""Name, as config.json spells it -> function that overwrites a C-contiguous float32 array."""
