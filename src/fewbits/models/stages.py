"""What follows the pooling: dense layers and normalization, in numpy for every executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fewbits.arrays import Floats
from fewbits.models.activations import ACTIVATIONS
from fewbits.models.pooling import normalize
from fewbits.models.spec import Dense, Normalize, Stage

RunLinear: TypeAlias = Callable[[str, Floats], Floats]
"""Called with the name of a dense stage's linear and its input, returns the output."""


def after_pooling(stages: tuple[Stage, ...], pooled: Floats, linear: RunLinear) -> Floats:
    """Return the pooled rows after all dense and normalize stages, in order."""
    out = pooled
    dense = 0
    for stage in stages:
        if isinstance(stage, Dense):
            out = linear(f"dense.{dense}", out)
            ACTIVATIONS[stage.activation](out)
            dense += 1
        elif isinstance(stage, Normalize):
            out = normalize(out)
    return out
