"""Calibration: real texts through the float32 model, to find what static linears need to know.

One pass. Texts come in chunks, so that any iterable will do and memory grows with the model alone:
per linear a few vectors and a sample of rows, see `fewbits.models.inputs`. Sequences are packed
without padding, so that every row counted is a token of a text.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from itertools import islice

from fewbits.arrays import Floats
from fewbits.errors import CalibrationWarning, InputError
from fewbits.models.batching import batches
from fewbits.models.drift import Ends
from fewbits.models.encoder import Encoder
from fewbits.models.inputs import Inputs
from fewbits.models.progress import Progress, as_callback
from fewbits.models.quantized import activation_codes
from fewbits.models.recipe import Recipe, Row
from fewbits.models.reference import Reference
from fewbits.models.smoothing import decoded, smooth_static
from fewbits.models.tensors import Activation
from fewbits.models.texts import check_unicode

# Mean and worst cosine to float32 of 501 texts, all-MiniLM-L6-v2, by number of calibration texts:
# 16: 0.9968, 0.973; 64: 0.9977, 0.982; 128: 0.9978, 0.993; 512: 0.9982, 0.994; 1,024: the same.
ADVISED_TEXTS = 64
"""Fewer texts than this give a warning."""

_CHUNK = 64  # texts held at a time
_BATCH_TOKENS = 4096
_INPUT = ".input"


@dataclass(frozen=True)
class Calibrated:
    """What calibration found about one linear of k inputs.

    Attributes:
        tokens: rows seen.
        mean: E[x], float32 (k,).
        second_moment: E[x^2], float32 (k,).
        absmax: max |x|, float32 (k,).
        activation: static linears only: how inputs are taken.
        smooth: static linears only, float32 (k,): factors that the weights carry.
        exponent: a of the factors; None where they are 1 or the linear is not static.
        error: squared output error over squared output on sampled rows, where a was searched.
        mean_taken: static linears only, float32 (k,): E of what the codes stand for, x / smooth.
        ends: static linears only: how often sampled codes took their extremes.
    """

    tokens: int
    mean: Floats
    second_moment: Floats
    absmax: Floats
    activation: Activation | None = None
    smooth: Floats | None = None
    exponent: float | None = None
    error: float | None = None
    mean_taken: Floats | None = None
    ends: Ends | None = None


def calibrate(
    encoder: Encoder, recipe: Recipe, texts: Iterable[str], *, progress: Progress = None
) -> dict[str, Calibrated]:
    """Run texts through the float32 encoder and return what was found, per linear.

    The model's default prompt goes before every text, as it does when encoding.

    Args:
        encoder: a model with float32 weights.
        recipe: says which linears are static, and their observer, symmetry and smoothing.
        texts: texts like those to be encoded later, 64 or more; read once.
        progress: see `Encoder.encode`; called after every chunk of texts.

    Raises:
        InputError: no texts, one string instead of many, an item that is no string or not valid
            Unicode, an unknown observer.
        ModelError: a row of the recipe that matches no module.

    Warns:
        CalibrationWarning: fewer than 64 texts.
    """
    rows = recipe.resolve(encoder.spec)
    names = encoder.spec.linears()
    if isinstance(texts, str):
        raise InputError("texts must be many strings, got a single str; put it into a list")
    total = len(texts) if isinstance(texts, Sized) else 0
    with as_callback(progress, total) as report:
        inputs, count = _watch(encoder, texts, report)
    if not inputs:
        raise InputError(
            f"texts must hold at least one text with tokens, got {count} texts; give 64 or more "
            "that are like those to be encoded"
        )
    if count < ADVISED_TEXTS:
        warnings.warn(
            f"ranges were learned from {count} texts; give {ADVISED_TEXTS} or more, better 512, "
            "that are like those to be encoded",
            CalibrationWarning,
            stacklevel=3,
        )
    found = {}
    for name in names:
        # Each sample is let go as soon as its linear is done.
        found[name] = _calibrated(inputs.pop(name), encoder.weights[f"{name}.weight"], rows[name])
    return found


def _watch(
    encoder: Encoder, texts: Iterable[str], report: Callable[[int], None]
) -> tuple[dict[str, Inputs], int]:
    """Return what was kept of every linear's inputs, and the number of texts."""
    inputs: dict[str, Inputs] = {}

    def tap(name: str, x: Floats) -> None:
        if name.endswith(_INPUT):
            linear = name.removesuffix(_INPUT)
            if linear not in inputs:
                inputs[linear] = Inputs(x.shape[1])
            inputs[linear].add(x)

    forward = Reference(encoder.spec, encoder.weights)
    before = encoder.prompts.resolve(None, None)
    skip = encoder.tokenizer.prompt_length(before) if before else 0
    count = 0
    for chunk in _chunks(texts):
        tokens = encoder.tokenizer.encode([before + text for text in chunk])
        for batch in batches([ids for ids in tokens.ids if len(ids)], _BATCH_TOKENS):
            forward(batch, skip=skip, tap=tap)
        count += len(chunk)
        report(len(chunk))
    return inputs, count


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    if not isinstance(texts, Iterable):
        raise InputError(f"texts must be an iterable of str, got {type(texts).__name__}")
    left = enumerate(texts)
    while chunk := [_checked(text, position) for position, text in islice(left, _CHUNK)]:
        yield chunk


def _checked(text: object, position: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"texts[{position}] must be a str, got {type(text).__name__}")
    check_unicode(text, f"texts[{position}]")
    return text


def _calibrated(inputs: Inputs, w: Floats, row: Row) -> Calibrated:
    known = Calibrated(inputs.count, inputs.mean, inputs.second_moment, inputs.absmax)
    if row.activations != "static":
        return known
    chosen = smooth_static(inputs, w, row)
    x = inputs.rows
    # The sample says by how much codes are off on average, all rows what the average is.
    shift = (decoded(x, chosen.activation) - x / chosen.smooth).mean(axis=0)
    return replace(
        known,
        activation=chosen.activation,
        smooth=chosen.smooth,
        exponent=chosen.exponent,
        error=chosen.error,
        mean_taken=inputs.mean / chosen.smooth + shift,
        ends=Ends.of(activation_codes(x, chosen.activation)[0]),
    )
