"""What engines of padded batches have in common: sort by length, pad to the longest, put back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders.engine import Engine, Floats, Setting, TokenIds
from numpy.typing import NDArray

BATCHES = (32, 16, 64)

Padded = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Token ids and mask, int64 (texts, longest)."""


class PaddedEngine(Engine):
    """Runs batches of `choice["batch"]` texts of similar length."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.tokenizer: Any = None

    def load_tokenizer(self) -> None:
        """Read the tokenizer of the checkpoint, cutting where the model says."""
        self.tokenizer = tokenizer_of(self.setting.model)

    def run(self, batches: list[Padded]) -> list[Floats]:
        """Return the vectors of each batch."""
        raise NotImplementedError

    def encode_ids(self, ids: Sequence[TokenIds]) -> Floats:
        size = int(self.setting.choice.get("batch", 32))
        order = np.argsort([-len(each) for each in ids], kind="stable")
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        found = self.run([padded([ids[row] for row in group]) for group in groups])
        rows = np.concatenate(found)
        out = np.empty_like(rows)
        out[order] = rows
        return out

    def encode(self, texts: list[str]) -> Floats:
        encodings = self.tokenizer.encode_batch(texts)
        return self.encode_ids([np.array(each.ids, dtype=np.int32) for each in encodings])


def padded(ids: Sequence[TokenIds]) -> Padded:
    """Return the token ids of one batch as a rectangle, longest first, and its mask."""
    shape = len(ids), max(len(each) for each in ids)
    table, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, each in enumerate(ids):
        table[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return table, mask


def named(batch: Padded, inputs: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return a batch by the names of the inputs that a graph has."""
    ids, mask = batch
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {name: known[name] for name in inputs}


def tokenizer_of(model: Path) -> Any:  # noqa: ANN401 - tokenizers has no types
    """Return the tokenizer of a checkpoint, without padding."""
    import tokenizers

    tokenizer: Any = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    limits = json.loads((model / "sentence_bert_config.json").read_text())
    tokenizer.no_padding()
    tokenizer.enable_truncation(int(limits["max_seq_length"]))
    return tokenizer
