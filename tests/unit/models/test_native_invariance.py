"""Bit for bit: a vector of the kernels depends on its text alone, whoever else is served."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_fixtures import encoder_of, run, sequences, tensors_of

from fewbits.models import Recipe
from fewbits.models.batching import batches
from fewbits.models.native import Native
from fewbits.models.original import pack_float32
from fewbits.models.panels import pack_panels
from fewbits.models.tensors import Activation
from fewbits.vectors import set_simd_level, simd_levels

F = np.float32

ALONE = ("float32", "int8 smoothed", "int8 static")
THREADS = (1, 2, 3, 8)


@pytest.fixture(params=simd_levels())
def level(request, restored_level):
    set_simd_level(request.param)
    return request.param


def alone(native, ids):
    return np.concatenate([run(native, [text], threads=1) for text in ids])


@pytest.mark.parametrize("form", ["bfloat16", "int8 weights", *ALONE])
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_neither_order_nor_batch_nor_threads_change_a_bit(level, family, form):
    spec = encoder_of(family).spec
    native = Native(spec, tensors_of(family, form))
    ids = sequences(spec, [33, spec.max_length, 0, 1, 60, 2, 1, 47, 60, 17, 5, 0, 29])
    wanted = alone(native, ids)
    rng = np.random.default_rng(8)
    for budget, threads in ((1, 8), (60, 2), (150, 3), (10**9, 1), (10**9, 2), (10**9, 8)):
        order = rng.permutation(len(ids))
        got = run(native, [ids[i] for i in order], budget=budget, threads=threads)
        assert got.tobytes() == wanted[order].tobytes(), (budget, threads)


@pytest.mark.parametrize("form", ALONE)
def test_a_team_on_one_text_gives_what_one_thread_gives(form):
    native = Native(*wide(form))
    for lengths in ([160], [150, 9, 0, 1], [140, 100]):
        ids = sequences(native.spec, lengths)
        (batch,) = batches(ids, 10**9)
        single, ends = native(batch, threads=1)
        assert single.tobytes() == alone(native, [ids[i] for i in batch.rows]).tobytes()
        for threads in THREADS[1:]:
            got, counts = native(batch, threads=threads)
            assert got.tobytes() == single.tobytes(), (lengths, threads)
            np.testing.assert_array_equal(counts, ends)


def test_a_team_gives_the_same_on_every_level(level):
    native = Native(*wide("int8 static"))
    (batch,) = batches(sequences(native.spec, [120]), 10**9)
    (single, ends), (team, counts) = native(batch, threads=1), native(batch, threads=3)
    assert team.tobytes() == single.tobytes()
    np.testing.assert_array_equal(counts, ends)


@cache
def wide(form):
    """Return an MPNet-shaped spec and tensors so wide that threads share a single text."""
    rng = np.random.default_rng(4)
    spec = dataclasses.replace(
        encoder_of("mpnet").spec, hidden_size=384, heads=6, intermediate_size=1536
    )
    weights = {
        name: rng.standard_normal(shape, dtype=F) * F(0.05) for name, shape in spec.shapes().items()
    }
    weights |= {name: array + 1 for name, array in weights.items() if "norm.weight" in name}
    tensors = pack_float32(spec, weights)
    if form == "float32":
        return spec, tensors
    linears = {}
    for name, linear in tensors.linears.items():
        taken = Activation("dynamic", inverse=np.full(linear.k, 0.5, F))
        if form == "int8 static":
            taken = Activation("static", False, 0.03, 120, np.full(linear.k, 1 / F(0.03)))
        codes = rng.integers(-127, 128, (linear.n, linear.k)).astype(np.int8)
        linears[name] = dataclasses.replace(
            linear,
            weights="int8",
            values=pack_panels(codes),
            scale=np.full(linear.n, 6e-4, F),
            activation=taken,
        )
    recipe = Recipe().with_row("layers.*", weights="int8", activations=taken.mode)
    return spec, dataclasses.replace(tensors, recipe=recipe, linears=linears)


@pytest.mark.parametrize("form", ALONE)
def test_four_callers_at_once_do_not_disturb_each_other(form):
    spec, tensors = wide(form)
    wide_native, tiny_native = (
        Native(spec, tensors),
        Native(encoder_of("mpnet").spec, tensors_of("mpnet", form)),
    )
    jobs = [
        (wide_native, sequences(spec, [150, 3, 70]), 10**9, 2),
        (wide_native, sequences(spec, [30, 30, 1], seed=1), 40, 1),
        (tiny_native, sequences(spec, range(0, 190, 11), seed=2), 10**9, 3),
        (tiny_native, sequences(spec, range(0, 190, 13), seed=3), 100, 8),
    ]
    wanted = [alone(native, ids).tobytes() for native, ids, _, _ in jobs]

    def call(number):
        native, ids, budget, threads = jobs[number % 4]
        return run(native, ids, budget=budget, threads=threads).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(24))) == wanted * 6


@cache
def shared(form):
    return Native(encoder_of("mpnet").spec, tensors_of("mpnet", form))


@cache
def known(form, length):
    native = shared(form)
    ids = sequences(native.spec, [length], seed=length)
    return ids[0], alone(native, ids)[0]


@given(
    form=st.sampled_from(ALONE),
    lengths=st.lists(st.integers(0, 198), min_size=1, max_size=25),
    budget=st.integers(1, 3000),
    threads=st.sampled_from(THREADS),
)
@settings(max_examples=60)
def test_any_mixture_of_lengths_gives_the_vectors_of_each_alone(form, lengths, budget, threads):
    pairs = [known(form, length) for length in lengths]
    got = run(shared(form), [ids for ids, _ in pairs], budget=budget, threads=threads)
    np.testing.assert_array_equal(got, np.stack([row for _, row in pairs]))


def test_the_encoder_passes_threads_and_batches_on(tiny):
    texts = ["", "one text", "A zero row scores zero. " * 6, "naïve 日本語"] * 5
    wanted = np.stack([tiny.encode(text, threads=1) for text in texts])
    for threads, tokens in ((1, 8192), (2, 30), (8, 8192), (None, 1)):
        got = tiny.encode(texts, threads=threads, batch_tokens=tokens)
        assert got.tobytes() == wanted.tobytes()
