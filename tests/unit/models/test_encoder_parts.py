"""Activations, attention, pooling and batching against short oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fewbits.models.activations import ACTIVATIONS, erf
from fewbits.models.attention import attend, relative_buckets
from fewbits.models.batching import Run, batches
from fewbits.models.pooling import normalize, pool
from fewbits.models.spec import POOLING_MODES, Pooling, Positions

EXACT = {
    "gelu": lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2)),
    "gelu_new": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + math.exp(-x)) if x > -700 else 0.0,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x > -700 else 0.0,
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "identity": lambda x: x,
}
EXACT["gelu_pytorch_tanh"] = EXACT["gelu_new"]
EXACT["swish"] = EXACT["silu"]


def test_erf_is_right_to_two_in_ten_million():
    x = np.concatenate([np.linspace(-6, 6, 40_001), [0.0, -0.0, 1e-30, 50, -50, 1e30]])
    x = x.astype(np.float32)
    exact = np.array([math.erf(value) for value in x.tolist()])
    assert np.abs(erf(x) - exact).max() <= 2e-7


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_matches_its_formula(name):
    x = np.linspace(-12, 12, 70_001).astype(np.float32).reshape(-1, 1)
    exact = np.array([[EXACT[name](value)] for value in x[:, 0].tolist()])
    got = x.copy()
    ACTIVATIONS[name](got)
    assert (np.abs(got - exact) <= 4e-7 * np.maximum(1, np.abs(exact))).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_stays_finite_far_out(name):
    x = np.array([[-1e4, -100.0, 100.0, 1e4]], dtype=np.float32)
    expected = [[EXACT[name](value) for value in x[0].tolist()]]
    ACTIVATIONS[name](x)
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("count", "length"), [(1, 1), (3, 2), (2, 17), (1, 65), (9, 130)])
def test_attention_equals_the_textbook_formula(count, length, with_bias):
    rng = np.random.default_rng(length)
    heads, size, start = 3, 4, 5
    total = start + count * length + 2
    qkv = rng.standard_normal((total, 3 * heads * size), dtype=np.float32) * 2
    bias = rng.standard_normal((heads, length, length), dtype=np.float32) if with_bias else None
    out = np.full((total, heads * size), 7, dtype=np.float32)
    original = qkv.astype(np.float64)
    attend(qkv, out, Run(start, count, length), heads, bias)
    assert (out[:start] == 7).all()
    assert (out[-2:] == 7).all()
    for sequence in range(count):
        rows = original[start + sequence * length :][:length].reshape(length, 3, heads, size)
        for head in range(heads):
            q, k, v = (rows[:, part, head] for part in range(3))
            scores = q @ k.T / math.sqrt(size) + (0 if bias is None else bias[head])
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            expected = weights / weights.sum(axis=1, keepdims=True) @ v
            got = out[start + sequence * length :][:length, head * size :][:, :size]
            np.testing.assert_allclose(got, expected, atol=2e-5)


def test_attention_survives_huge_scores():
    qkv = np.full((4, 12), 1e4, dtype=np.float32)
    out = np.empty((4, 4), dtype=np.float32)
    attend(qkv, out, Run(0, 1, 4), 2, None)
    np.testing.assert_allclose(out, 1e4)


def test_relative_buckets_follow_the_published_rule():
    def bucket(query, key):
        behind, side = query - key, 0
        if behind < 0:
            behind, side = -behind, 16
        if behind < 8:
            return side + behind
        return side + min(15, 8 + int(np.float32(math.log(behind / 8) / math.log(16)) * 8))

    got = relative_buckets(Positions(600, buckets=32), 300)
    expected = [[bucket(query, key) for key in range(300)] for query in range(300)]
    np.testing.assert_array_equal(got, expected)


POOLED = {
    "cls": lambda h, skip: h[skip],
    "lasttoken": lambda h, skip: h[-1],
    "max": lambda h, skip: h[skip:].max(axis=0),
    "mean": lambda h, skip: h[skip:].sum(axis=0) / len(h[skip:]),
    "mean_sqrt_len_tokens": lambda h, skip: h[skip:].sum(axis=0) / math.sqrt(len(h[skip:])),
    "weightedmean": lambda h, skip: (
        sum((i + 1) * h[i] for i in range(skip, len(h))) / sum(i + 1 for i in range(skip, len(h)))
    ),
}


@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_pooling_matches_its_formula(mode, skip):
    hidden = np.random.default_rng(0).standard_normal((4, 6, 5), dtype=np.float32)
    expected = np.stack([POOLED[mode](h.astype(np.float64), skip) for h in hidden])
    np.testing.assert_allclose(pool(hidden, Pooling((mode,)), skip), expected, atol=1e-6)


def test_modes_are_concatenated_in_the_order_given():
    hidden = np.random.default_rng(0).standard_normal((2, 3, 4), dtype=np.float32)
    both = pool(hidden, Pooling(("max", "cls")))
    np.testing.assert_array_equal(both, np.hstack([hidden.max(axis=1), hidden[:, 0]]))


def test_a_text_that_is_all_prompt_pools_to_zero():
    hidden = np.ones((2, 3, 4), dtype=np.float32)
    got = pool(hidden, Pooling(("max", "mean")), skip=3)
    assert got.shape == (2, 8)
    assert not got.any()


def test_normalize_leaves_a_zero_row_zero():
    got = normalize(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(got, [[0.6, 0.8], [0.0, 0.0]], atol=1e-7)


@pytest.mark.parametrize("budget", [1, 5, 12, 100, 10**9])
def test_batches_hold_every_sequence_once_within_the_budget(budget):
    rng = np.random.default_rng(budget)
    lengths = rng.integers(1, 20, 50)
    sequences = [rng.integers(0, 9, size, dtype=np.int32) for size in lengths]
    seen = []
    for batch in batches(sequences, budget):
        assert len(batch.ids) <= budget or len(batch.rows) == 1
        assert sum(run.count * run.length for run in batch.runs) == len(batch.ids)
        widths = [run.length for run in batch.runs]
        assert widths == sorted(set(widths), reverse=True)
        rows = iter(batch.rows)
        for run in batch.runs:
            for ids in batch.ids[run.tokens].reshape(run.count, run.length):
                row = next(rows)
                np.testing.assert_array_equal(ids, sequences[row])
                seen.append(row)
    assert sorted(seen) == list(range(50))


def test_batches_are_full_before_the_next_one_starts():
    sequences = [np.zeros(4, dtype=np.int32)] * 10
    assert [len(batch.rows) for batch in batches(sequences, 17)] == [4, 4, 2]
