"""Texts to token ids, with the tokenizer that the model was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tokenizers
from numpy.typing import NDArray

from fewbits.errors import ModelError
from fewbits.models.config import Config
from fewbits.models.spec import Positions

TokenIds: TypeAlias = NDArray[np.int32]

_CHUNK = 1024  # texts handed over at a time: encodings weigh some 100 times their ids

# Where sentence-transformers has kept max_seq_length and do_lower_case, newest first.
CONFIGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_xlm-roberta_config.json",
)


@dataclass(frozen=True)
class Tokens:
    """Token ids per text, special tokens included, and how many texts were cut."""

    ids: list[TokenIds]
    truncated: int


class Tokenizer:
    """A `tokenizers.Tokenizer` that truncates to `max_length` and never pads."""

    def __init__(self, engine: tokenizers.Tokenizer, max_length: int) -> None:
        """Wrap `engine`, whose truncation must already be set up."""
        self.max_length = max_length
        self._engine: Any = engine

    @classmethod
    def load(cls, folder: Path, positions: Positions, vocab_size: int) -> Tokenizer:
        """Read tokenizer.json and its companions from `folder`.

        Raises:
            ModelError: the file is missing or unreadable, or its ids exceed the word table.
        """
        engine: Any = _read_engine(folder / "tokenizer.json")
        settings = _settings(folder)
        companion = Config.read_optional(folder / "tokenizer_config.json")
        if settings.flag("do_lower_case", False):
            _lower_case(engine)
        engine.no_padding()
        max_length = _max_length(settings, companion, positions)
        _truncate(engine, max_length, companion)
        _check_probe(engine, folder, vocab_size)
        return cls(engine, max_length)

    def encode(self, texts: Sequence[str]) -> Tokens:
        """Tokenize well-formed texts (no lone surrogates)."""
        ids: list[TokenIds] = []
        truncated = 0
        for start in range(0, len(texts), _CHUNK):
            for encoding in self._engine.encode_batch(list(texts[start : start + _CHUNK])):
                ids.append(np.array(encoding.ids, dtype=np.int32))
                truncated += bool(encoding.overflowing)
        return Tokens(ids, truncated)

    def prompt_length(self, prompt: str) -> int:
        """Return how many leading tokens of a text come from `prompt`.

        Special tokens before the prompt count, the one that closes a text does not.
        """
        encoding = self._engine.encode(prompt)
        closed = bool(encoding.special_tokens_mask) and encoding.special_tokens_mask[-1] == 1
        return len(encoding.ids) - closed


def _read_engine(path: Path) -> tokenizers.Tokenizer:
    if not path.exists():
        raise ModelError(
            f"{path} is missing; write it where transformers is installed: "
            f"AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        )
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises bare Exception
        raise ModelError(f"{path} is not a readable tokenizer: {error}") from error


def _settings(folder: Path) -> Config:
    found = (folder / name for name in CONFIGS if (folder / name).exists())
    return Config.read_optional(next(found, folder / CONFIGS[0]))


def _lower_case(engine: Any) -> None:  # noqa: ANN401 - tokenizers' normalizers are untyped
    lower = tokenizers.normalizers.Lowercase()
    rest = [engine.normalizer] if engine.normalizer is not None else []
    engine.normalizer = tokenizers.normalizers.Sequence([lower, *rest])


def _max_length(settings: Config, companion: Config, positions: Positions) -> int:
    """max_seq_length where it is given, else the tokenizer's limit; never beyond the table."""
    limit = positions.capacity
    if "max_seq_length" in settings:
        return min(settings.integer("max_seq_length"), limit)
    return min(companion.integer("model_max_length", limit), limit)


def _truncate(engine: Any, max_length: int, companion: Config) -> None:  # noqa: ANN401 - untyped
    side = companion.text("truncation_side", "right")
    if side not in ("left", "right"):
        raise ModelError(
            f"{companion.path}: 'truncation_side' must be 'left' or 'right', got {side!r}"
        )
    special = engine.num_special_tokens_to_add(False)
    if max_length <= special:  # the engine would then not truncate at all
        raise ModelError(
            f"{companion.path.parent}: max_seq_length must leave room for more than the {special} "
            f"special tokens, got {max_length}"
        )
    engine.enable_truncation(max_length, direction=side)


def _check_probe(engine: Any, folder: Path, vocab_size: int) -> None:  # noqa: ANN401 - untyped
    largest = max(engine.get_vocab(with_added_tokens=True).values(), default=-1)
    if largest >= vocab_size:
        raise ModelError(
            f"{folder}: tokenizer.json has id {largest}, but config.json's vocab_size is "
            f"{vocab_size}; the two files are not of one model"
        )
    probe = engine.encode("probe")
    if not probe.ids or any(probe.type_ids):
        raise ModelError(
            f"{folder / 'tokenizer.json'} must yield tokens of type 0 for a single text, "
            f"got ids {probe.ids} of types {probe.type_ids}"
        )
