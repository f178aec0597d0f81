"""The registry of quantizers: filled by class statements, the source of every list of kinds."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fewbits.errors import InputError

if TYPE_CHECKING:
    from fewbits.vectors.form import Metric
    from fewbits.vectors.quantizer import Quantizer

_REGISTRY: dict[str, type[Quantizer]] = {}


def register(name: str, kind: type[Quantizer]) -> None:
    """Add a kind of quantizer.

    Raises:
        TypeError: the name is taken.
    """
    if name in _REGISTRY:
        raise TypeError(f"quantizer name {name!r} is taken by {_REGISTRY[name].__qualname__}")
    _REGISTRY[name] = kind


def quantizer_names() -> list[str]:
    """Return the names of all registered quantizers, sorted.

    Kinds that only make sense as a second tier are left out.
    """
    return sorted(name for name, kind in _REGISTRY.items() if kind.standalone)


def make_quantizer(name: str, **params: Any) -> Quantizer:  # noqa: ANN401 - the kind's own
    """Return a new quantizer of a registered kind.

    Raises:
        InputError: an unknown name or parameter.
    """
    if not isinstance(name, str) or name not in _REGISTRY:
        raise InputError(f"quantizer must be one of {', '.join(quantizer_names())}, got {name!r}")
    kind = _REGISTRY[name]
    known = list(inspect.signature(kind).parameters)
    for key in params:
        if key not in known:
            raise InputError(f"{name} has no parameter {key!r}; it takes {', '.join(known)}")
    return kind(**params)


def own_quantizer(
    given: str | Quantizer,
    metric: Metric | None,
    name: str,
    **params: Any,  # noqa: ANN401 - the kind's own
) -> Quantizer:
    """Return a quantizer that nobody else holds, with the metric wanted.

    Args:
        given: a registered name, or a quantizer to copy, what it learned included.
        metric: None for the quantizer's own.
        name: what error messages call the argument.
        params: of the kind, where `given` is a name.

    Raises:
        InputError: neither of the two, an unknown name or parameter, parameters for a quantizer
            that has its own, or a quantizer that was fitted for another metric.
    """
    if isinstance(given, str):
        if given in _REGISTRY and not _REGISTRY[given].standalone:
            raise InputError(f"{given} is no quantizer of its own; use rescore_bits= to have one")
        return make_quantizer(given, **({} if metric is None else {"metric": metric}), **params)
    if not isinstance(given, tuple(_REGISTRY.values())):
        raise InputError(f"{name} must be a name or a Quantizer, got {type(given).__name__}")
    if params:
        raise InputError(
            f"{', '.join(params)} cannot be given beside a quantizer object, which has its "
            f"parameters; give {name} as a name"
        )
    if metric in (None, given.metric):
        return type(given)(**given.params()).with_state(given.state())
    if given.calibration_rows is not None:
        raise InputError(
            f"{name} was fitted for metric {given.metric!r}, the index wants {metric!r}; "
            "fit a new one"
        )
    return type(given)(**{**given.params(), "metric": metric})
