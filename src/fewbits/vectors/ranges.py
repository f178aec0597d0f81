"""Static steps and zero-points of the integer kinds, learned by an observer."""

from __future__ import annotations

import dataclasses

import numpy as np

from fewbits.arrays import MAX_ABS, Floats
from fewbits.errors import InputError
from fewbits.numerics.affine import qparams
from fewbits.numerics.calibration import Observer, observer, observer_names
from fewbits.numerics.granularity import Granularity, expand

_BLOCK = 8192  # rows an observer takes at a time


def make_observer(text: str, granularity: str) -> Observer:
    """Return the observer that `text` names: "mse", or "percentile:99.9" with its parameter.

    Raises:
        InputError: an unknown name, or a parameter the observer does not take.
    """
    if not isinstance(text, str):
        raise InputError(f"observer must be a name, got {type(text).__name__} {text!r}")
    name, colon, value = text.partition(":")
    if name not in observer_names():
        raise InputError(f"observer must be one of {', '.join(observer_names())}, got {text!r}")
    made = observer(name, granularity=granularity)
    if not colon:
        return made
    shared = ("granularity", "bins")
    own = [f.name for f in dataclasses.fields(made) if f.init and f.name not in shared]
    if not own:
        raise InputError(f"observer {text!r}: {name} takes no parameter")
    try:
        parameter = float(value)
    except ValueError as error:
        raise InputError(f"observer {text!r}: {value!r} is not a number") from error
    return observer(name, granularity=granularity, **{own[0]: parameter})


def learn_affine(
    r: Floats, text: str, granularity: str, *, bits: int, symmetric: bool
) -> tuple[Floats, Floats]:
    """Return (scale, zero_point), float32 (d,), that cover calibration rows r (n, d)."""
    watching = make_observer(text, granularity)
    # Centring can carry a value to twice the limit of the gate; a power of two scales exactly.
    unit = np.float32(0.5 if np.abs(r).max() > MAX_ABS else 1.0)
    for start in range(0, len(r), _BLOCK):
        watching.update(r[start : start + _BLOCK] * unit)
    low, high = watching.range(bits=bits, symmetric=symmetric)
    scale, zero_point = qparams(low, high, bits=bits, symmetric=symmetric)
    scale = scale / unit
    d = r.shape[1]
    return (
        np.ascontiguousarray(expand(scale, d), dtype=np.float32),
        np.ascontiguousarray(expand(zero_point, d), dtype=np.float32),
    )


def channel_mean(values: Floats, granularity: str) -> Floats:
    """Return the mean over calibration rows of values (n, d), per channel, expanded to (d,)."""
    d = values.shape[1]
    channels = Granularity.parse(granularity).channels(d)
    means = values.mean(axis=0, dtype=np.float64).reshape(channels, -1).mean(axis=1)
    return np.ascontiguousarray(np.repeat(means, d // channels), dtype=np.float32)
