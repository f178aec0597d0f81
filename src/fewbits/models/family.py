"""What a model family is, and the registry that its one file adds itself to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fewbits.errors import ModelError
from fewbits.models.config import Config
from fewbits.models.spec import EncoderSpec


@dataclass(frozen=True)
class Family:
    """A mapping from one kind of checkpoint to an `EncoderSpec`.

    Attributes:
        name: what `EncoderSpec.family` says.
        model_types: values of `model_type` in config.json that this family reads.
        prefix: what checkpoints with a task head put before every name, for example `bert.`.
        modules: canonical module -> checkpoint modules whose rows are stacked in this order;
            `{i}` stands for the layer.
        spec: reads config.json into a spec with mean pooling and the longest possible max_length.
    """

    name: str
    model_types: tuple[str, ...]
    prefix: str
    modules: Mapping[str, tuple[str, ...]]
    spec: Callable[[Config], EncoderSpec]


_BY_MODEL_TYPE: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Add `family` to the registry and return it.

    Raises:
        TypeError: one of its model types is already taken.
    """
    for model_type in family.model_types:
        taken = _BY_MODEL_TYPE.setdefault(model_type, family)
        if taken is not family:
            raise TypeError(f"model_type {model_type!r} is already read by family {taken.name!r}")
    return family


def registered() -> dict[str, Family]:
    """Return model_type -> family for all families registered so far."""
    return dict(_BY_MODEL_TYPE)


def family_of(config: Config) -> Family:
    """Return the family that reads a checkpoint with this config.json.

    Raises:
        ModelError: no registered family reads its `model_type`.
    """
    model_type = config.text("model_type")
    family = _BY_MODEL_TYPE.get(model_type)
    if family is None:
        supported = ", ".join(sorted(_BY_MODEL_TYPE))
        raise ModelError(
            f"{config.path}: model_type {model_type!r} is not supported; supported: {supported}"
        )
    return family
