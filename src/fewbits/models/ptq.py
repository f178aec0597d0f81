"""Post-training quantization: an encoder's weights rounded as a recipe says, without training.

Static activations need calibration texts. Dynamic ones do not: the magnitudes that their smoothing
asks for come from random sequences of tokens, or from the texts where there are some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fewbits.arrays import Floats
from fewbits.errors import InputError
from fewbits.models.about import Calibration
from fewbits.models.bias import corrected_bias
from fewbits.models.calibrate import Calibrated, calibrate
from fewbits.models.encoder import Encoder
from fewbits.models.panels import pack_panels
from fewbits.models.probe import probe_inputs
from fewbits.models.progress import Progress
from fewbits.models.recipe import Recipe, Row, tables_of
from fewbits.models.smoothing import smooth_factors
from fewbits.models.spec import EncoderSpec, Weights
from fewbits.models.tensors import Activation, Linear, Table, Tensors, widen
from fewbits.models.tokenizer import TokenIds
from fewbits.models.weights import round_weights


@dataclass(frozen=True)
class _Taken:
    """How a linear takes its inputs, and the factors (k,) that its weights carry."""

    activation: Activation
    smooth: Floats | None = None


def quantize_model(
    encoder: Encoder,
    recipe: Recipe,
    *,
    calibration: Iterable[str] | None = None,
    progress: Progress = None,
) -> Encoder:
    """Return an encoder of the same texts whose tensors are those of `recipe`.

    Args:
        encoder: a model with float32 weights; it stays as it is.
        recipe: what each linear and table gets.
        calibration: texts like those to be encoded later, 64 or more; needed for static
            activations and for corrected biases.
        progress: see `Encoder.encode`; counts calibration texts.

    Raises:
        InputError: an encoder that is quantized already; a recipe that needs calibration texts
            without any; weights that a format cannot hold.
        ModelError: a row of the recipe that matches no module.
    """
    if encoder.recipe != Recipe.float32():
        raise InputError(
            f"encoder must have float32 weights, got those of {encoder.recipe.name!r}; load the "
            "original model and quantize that"
        )
    found: dict[str, Calibrated] = {}
    if calibration is not None:
        found = calibrate(encoder, recipe, calibration, progress=progress)
    frame = encoder.tokenizer.encode([""]).ids[0]
    tensors = quantized_tensors(encoder.spec, encoder.weights, recipe, frame, found)
    return encoder.with_tensors(tensors, _learned(found))


def quantized_tensors(
    spec: EncoderSpec,
    weights: Weights,
    recipe: Recipe,
    frame: TokenIds,
    calibrated: Mapping[str, Calibrated] | None = None,
) -> Tensors:
    """Return the tensors of a recipe, made from float32 weights.

    Args:
        spec: the model as data.
        weights: its tensors.
        recipe: what each module gets.
        frame: the token ids of an empty text, for `probe_inputs`.
        calibrated: what calibration found, by linear, or nothing.

    Raises:
        InputError: a row that needs calibration; weights that a format cannot hold.
        ModelError: a row of the recipe that matches no module.
    """
    rows, found = recipe.resolve(spec), calibrated or {}
    _check_calibrated(spec, rows, found)
    reach = _reach(spec, weights, rows, frame, found)
    linears = {}
    for name in spec.linears():
        w, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
        taken = _taken(rows[name], w, reach.get(name), found.get(name))
        linears[name] = _linear(rows[name], w, bias, taken, found.get(name))
    tables = {name: _table(rows[name], weights[f"{name}.weight"]) for name in tables_of(spec)}
    held = {f"{name}.weight" for name in rows} | {f"{name}.bias" for name in linears}
    others = {name: tensor for name, tensor in weights.items() if name not in held}
    return Tensors(recipe, linears, tables, others)


def _learned(found: Mapping[str, Calibrated]) -> Calibration | None:
    if not found:
        return None
    ends = {name: known.ends for name, known in found.items() if known.ends is not None}
    # Linears behind the pooling see one row per text.
    return Calibration(max(known.tokens for known in found.values()), ends)


def _check_calibrated(
    spec: EncoderSpec, rows: Mapping[str, Row], found: Mapping[str, Calibrated]
) -> None:
    for name in spec.linears():
        row = rows[name]
        static = row.activations == "static"
        if name not in found and (static or row.correct_bias):
            what = "static activations" if static else "a corrected bias"
            raise InputError(
                f"{what} of {name!r} must be learned from texts, got none; pass calibration="
                "[...], 64 or more texts like those to be encoded"
            )


def _reach(
    spec: EncoderSpec,
    weights: Weights,
    rows: Mapping[str, Row],
    frame: TokenIds,
    found: Mapping[str, Calibrated],
) -> dict[str, Floats]:
    """Return max |x| per input of every linear whose dynamic activations are to be smoothed."""
    names = [
        name for name in spec.linears() if rows[name].activations == "dynamic" and rows[name].smooth
    ]
    unseen = [name for name in names if name not in found]
    known = {name: found[name].absmax for name in names if name in found}
    return known | probe_inputs(spec, weights, frame, unseen)


def _taken(row: Row, w: Floats, reach: Floats | None, found: Calibrated | None) -> _Taken:
    if row.activations == "static" and found is not None and found.activation is not None:
        return _Taken(found.activation, found.smooth)
    if reach is None:
        return _Taken(Activation(row.activations, row.symmetric))
    smooth = smooth_factors(reach, w, float(row.smooth))
    return _Taken(Activation("dynamic", row.symmetric, inverse=np.float32(1) / smooth), smooth)


def _linear(
    row: Row, w: Floats, bias: Floats | None, taken: _Taken, found: Calibrated | None
) -> Linear:
    carried = w if taken.smooth is None else w * taken.smooth
    values, scale = round_weights(carried, row.weights, clip=row.clip)
    if row.correct_bias and found is not None:
        rounded = widen(values, row.weights, scale)
        if taken.smooth is not None and found.mean_taken is None:
            rounded = rounded / taken.smooth  # the mean is that of inputs before smoothing
        bias = corrected_bias(bias, w, rounded, found)
    n, k = w.shape
    return Linear(row.weights, pack_panels(values), n, k, scale, bias, taken.activation)


def _table(row: Row, w: Floats) -> Table:
    values, scale = round_weights(w, row.weights, clip=row.clip)
    return Table(row.weights, values, scale)
