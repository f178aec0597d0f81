"""From what the caller names to quantizers with labels; the default grid is the registry."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fewbits import vectors
from fewbits.errors import InputError

QuantizerSpec: TypeAlias = "str | tuple[str, Mapping[str, Any]] | vectors.Quantizer"


@dataclass(frozen=True)
class Candidate:
    """An unfitted quantizer of its own, with the name and parameters that a report shows."""

    label: str
    name: str
    params: dict[str, str | int | float | bool]
    quantizer: vectors.Quantizer


def candidates(specs: Iterable[QuantizerSpec] | None, metric: str) -> list[Candidate]:
    """Return one candidate per specification, or one per registered quantizer for None.

    A specification is a registered name, a pair (name, parameters), or a quantizer object, which
    is copied and never changed. Labels are unique: parameters are added where names repeat.
    """
    if isinstance(specs, str):
        raise InputError(f"quantizers must be a list, got the string {specs!r}; use [{specs!r}]")
    made = [_make(spec, metric) for spec in (vectors.quantizer_names() if specs is None else specs)]
    if not made:
        raise InputError("quantizers must name at least one quantizer, got none")
    names = Counter(name for name, _, _ in made)
    labels: Counter[str] = Counter()
    out = []
    for name, params, quantizer in made:
        label = name if names[name] == 1 else f"{name} ({_listed(params)})"
        labels[label] += 1
        label = label if labels[label] == 1 else f"{label} #{labels[label]}"
        out.append(Candidate(label, name, params, quantizer))
    return out


def _make(spec: QuantizerSpec, metric: str) -> tuple[str, dict[str, Any], vectors.Quantizer]:
    if isinstance(spec, str):
        quantizer, name = vectors.make_quantizer(spec, metric=metric), spec
    elif isinstance(spec, tuple):
        quantizer, name = vectors.make_quantizer(spec[0], metric=metric, **spec[1]), spec[0]
    else:
        quantizer = copy.deepcopy(spec)
        name = str(getattr(spec, "name", type(spec).__name__))
    return name, _params(quantizer), quantizer


def _params(quantizer: vectors.Quantizer) -> dict[str, str | int | float | bool]:
    """Return the settings: dataclass fields with plain values. Learned arrays are left out."""
    if not dataclasses.is_dataclass(quantizer):
        return {}
    values = {field.name: getattr(quantizer, field.name) for field in dataclasses.fields(quantizer)}
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, (str, int, float, bool)) and not key.startswith("_")
    }


def _listed(params: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in params.items())
