"""From what the caller names to quantizers with labels; the default grid is the registry."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fewbits import vectors
from fewbits.errors import InputError

QuantizerSpec: TypeAlias = "str | tuple[str, Mapping[str, Any]] | vectors.Quantizer"
Params: TypeAlias = "dict[str, str | int | float | bool | None]"


@dataclass(frozen=True)
class Candidate:
    """A quantizer of its own, with the name and parameters that a report shows.

    `fresh` tells that it has yet to be fitted; an object that came fitted keeps its ranges.
    """

    label: str
    name: str
    params: Params
    quantizer: vectors.Quantizer
    fresh: bool


def candidates(
    specs: Iterable[QuantizerSpec] | None, metric: str
) -> tuple[list[Candidate], dict[str, str]]:
    """Return one candidate per specification, and the reasons why others were skipped.

    A specification is a registered name, a pair (name, parameters), or a quantizer object, which
    is copied and never changed. None stands for every registered quantizer; those that refuse the
    metric are skipped, while one that was asked for raises. Labels are unique: parameters are
    added where names repeat.
    """
    if specs is None:
        made, skipped = _all(metric)
    elif isinstance(specs, str):
        raise InputError(f"quantizers must be a list, got the string {specs!r}; use [{specs!r}]")
    else:
        made, skipped = [_make(spec, metric) for spec in specs], {}
    if not made:
        raise InputError("quantizers must name at least one that serves this metric, got none")
    names = Counter(quantizer.name for quantizer, _ in made)
    used: Counter[str] = Counter()
    out = []
    for quantizer, fresh in made:
        name, params = quantizer.name, _params(quantizer)
        label = name if names[name] == 1 else f"{name} ({_listed(params)})"
        used[label] += 1
        label = label if used[label] == 1 else f"{label} #{used[label]}"
        out.append(Candidate(label, name, params, quantizer, fresh))
    return out, skipped


def _all(metric: str) -> tuple[list[tuple[vectors.Quantizer, bool]], dict[str, str]]:
    made, skipped = [], {}
    for name in vectors.quantizer_names():
        try:
            made.append(_make(name, metric))
        except InputError as error:
            skipped[name] = str(error)
    return made, skipped


def _make(spec: QuantizerSpec, metric: str) -> tuple[vectors.Quantizer, bool]:
    if isinstance(spec, str):
        return vectors.make_quantizer(spec, metric=metric), True
    if isinstance(spec, tuple):
        name, params = spec
        return vectors.make_quantizer(name, metric=metric, **params), True
    if not isinstance(spec, vectors.Quantizer):
        raise InputError(
            "quantizers must hold names, (name, parameters) pairs or quantizers, "
            f"got {type(spec).__name__}"
        )
    return copy.deepcopy(spec), spec.calibration_rows is None


def _params(quantizer: vectors.Quantizer) -> Params:
    plain = (str, int, float, bool, type(None))
    return {
        key: value
        for key, value in quantizer.params().items()
        if key != "metric" and isinstance(value, plain)
    }


def _listed(params: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in params.items()) or "defaults"
