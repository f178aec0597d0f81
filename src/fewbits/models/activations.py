"""Activation functions on float32 arrays, in place and in cache-sized pieces.

GELU is x * Phi(x), with the normal distribution function Phi(x) = (1 + erf(x / sqrt(2))) / 2, and

    erf(x) = tanh(x P(x^2)),  P of degree 6,  absolute error 0.7e-7 (1.5e-7 in float32 arithmetic)

P is a minimax fit to artanh(erf(x)) / x on |x| <= 4.2, weighted by what an error there costs erf
and GELU. Beyond, x P(x^2) keeps growing (P's leading coefficient is positive) and tanh is +-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from fewbits.arrays import Floats

InPlace: TypeAlias = Callable[[Floats], None]

_PIECE = 32_768  # elements handled at a time: three of 128 KiB stay in an L2 cache

# P's coefficients, constant term first.
_ERF = (
    1.12837970,
    0.102765135,
    -1.83137701e-4,
    -6.27094647e-4,
    9.03164619e-5,
    -6.09541621e-6,
    1.65761350e-7,
)
_ERF_P = tuple(np.float32(c) for c in _ERF)
# The same for x / sqrt(2): x^(2k + 1) takes a factor 2^-(k + 1/2).
_GELU_P = tuple(np.float32(c * 2 ** -(k + 0.5)) for k, c in enumerate(_ERF))


def erf(x: Floats) -> Floats:
    """Return the error function of `x`, absolute error <= 2e-7."""
    with np.errstate(over="ignore"):
        return _tanh_of_odd(x, _ERF_P)


def _tanh_of_odd(x: Floats, p: Sequence[np.float32]) -> Floats:
    """Return tanh(x P(x^2)), Horner's scheme."""
    square = x * x
    out: Floats = square * p[-1]
    for coefficient in p[-2:0:-1]:
        out += coefficient
        out *= square
    out += p[0]
    out *= x
    np.tanh(out, out=out)
    return out


def _gelu(x: Floats) -> None:
    gate = _tanh_of_odd(x, _GELU_P)
    x *= np.float32(0.5)
    gate *= x
    x += gate


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
