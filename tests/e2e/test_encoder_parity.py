"""The same folder and texts, side by side with sentence-transformers where it is installed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from fewbits.errors import ModelError
from fewbits.models import Encoder, default_model

TEXTS = Path(__file__).parents[1] / "data" / "arxiv-200.jsonl.gz"
FROZEN = TEXTS.with_name("arxiv-200.minilm-384.npy")


@pytest.fixture(scope="module")
def folder():
    try:
        return default_model()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def texts():
    with gzip.open(TEXTS, "rt", encoding="utf-8") as file:
        return [
            *(json.loads(line)["text"] for line in file),
            "",
            "  \n",
            "日本語 🙂",
            "[SEP] a [PAD]",
        ]


@pytest.fixture(scope="module")
def ours(folder, texts):
    return Encoder.load(folder).encode(texts)


def worst_cosine(a, b):
    return ((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min()


@pytest.mark.slow
def test_all_200_texts_have_the_frozen_vectors(ours):
    frozen = np.load(FROZEN).astype(np.float32)
    assert worst_cosine(ours[: len(frozen)], frozen) >= 0.99999


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the other side's own
def test_live_vectors_are_those_of_sentence_transformers(folder, texts, ours, record_property):
    peer = pytest.importorskip("sentence_transformers", reason="sentence-transformers is absent")
    theirs = peer.SentenceTransformer(str(folder), device="cpu").encode(texts)
    worst, gap = float(worst_cosine(ours, theirs)), float(np.abs(ours - theirs).max())
    record_property("worst_cosine", worst)
    record_property("largest_difference", gap)
    assert worst >= 0.999999
    assert gap <= 2e-6
