"""What a model folder says about a model besides its numbers: spec, tokenizer, prompts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import fewbits.models.families  # noqa: F401 - registers the model families
from fewbits.models.config import Config
from fewbits.models.family import Family, family_of
from fewbits.models.modules import Parts, read_parts
from fewbits.models.prompts import Prompts, read_prompts
from fewbits.models.spec import EncoderSpec
from fewbits.models.tokenizer import Tokenizer


@dataclass(frozen=True)
class Outline:
    """A model folder without its numbers."""

    folder: Path
    parts: Parts
    family: Family
    spec: EncoderSpec
    tokenizer: Tokenizer
    prompts: Prompts


def read_outline(folder: Path) -> Outline:
    """Read everything but the weights, original or quantized alike.

    Raises:
        ModelError: a missing or damaged file, an unsupported family or module; it says which.
    """
    parts = read_parts(folder)
    config = Config.read(parts.transformer / "config.json")
    family = family_of(config)
    spec = family.spec(config)
    tokenizer = Tokenizer.load(parts.transformer, spec.positions, spec.vocab_size)
    spec = dataclasses.replace(spec, max_length=tokenizer.max_length, stages=parts.stages)
    return Outline(folder, parts, family, spec, tokenizer, read_prompts(folder))
