"""Which executor runs, and that all of them compute the same model."""

from __future__ import annotations

import gc
import time
import weakref

import numpy as np
import pytest
from encoder_fixtures import MODELS
from saved_models import RECIPES, TEXTS

from fewbits.errors import InputError, KernelError, ModelError
from fewbits.models import Encoder
from fewbits.models.original import pack_float32
from fewbits.models.tensors import Tensors


@pytest.mark.parametrize("key", RECIPES)
def test_the_executors_agree(key, saved):
    native = Encoder.load(saved(key)[1], executor="native").encode(TEXTS)
    reference = Encoder.load(saved(key)[1], executor="reference").encode(TEXTS)
    cosine = (native * reference).sum(1) / np.linalg.norm(native, axis=1)
    cosine /= np.linalg.norm(reference, axis=1)
    assert cosine.min() > (0.9999 if "int8" in key or key == "mixed" else 0.999999)


def test_packed_weights_are_the_weights(tiny):
    tensors = pack_float32(tiny.spec, tiny.weights)
    back = tensors.dense()
    assert back.keys() == tiny.spec.shapes().keys()
    for name, array in tiny.weights.items():
        np.testing.assert_array_equal(back[name], array)


def test_an_activation_without_a_kernel_runs_on_the_reference(model_folder):
    folder = model_folder("bert")
    folder.edit("config.json", hidden_act="sigmoid")
    got = Encoder.load(folder.path).encode(TEXTS)
    np.testing.assert_array_equal(
        got, Encoder.load(folder.path, executor="reference").encode(TEXTS)
    )
    with pytest.raises(KernelError, match="executor='reference'"):
        Encoder.load(folder.path, executor="native")


def test_a_tap_runs_the_reference(model_folder):
    folder = model_folder("bert").path
    names = []
    got = Encoder.load(folder).encode(TEXTS, tap=lambda name, x: names.append(name))
    assert "layers.1.ffn_out.input" in names
    np.testing.assert_array_equal(got, Encoder.load(folder, executor="reference").encode(TEXTS))
    with pytest.raises(InputError, match="a tap needs executor='auto' or 'reference'"):
        Encoder.load(folder, executor="native").encode(TEXTS, tap=print)


@pytest.mark.parametrize("executor", ["fast", "", None, 3])
def test_an_unknown_executor_is_refused(executor, model_folder):
    with pytest.raises(InputError, match="executor must be one of auto, native, reference, got"):
        Encoder.load(model_folder("bert").path, executor=executor)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_are_a_count(threads, tiny):
    with pytest.raises(InputError, match="threads"):
        tiny.encode(TEXTS, threads=threads)


@pytest.mark.parametrize("executor", ["native", "reference"])
@pytest.mark.parametrize("normalize", [None, True, False])
def test_every_executor_leaves_normalization_to_the_caller(executor, normalize, model_folder):
    encoder = Encoder.load(model_folder(variant="dense-tanh").path, executor=executor)
    plain = encoder.encode(TEXTS, normalize=False)
    got = encoder.encode(TEXTS, normalize=normalize, threads=1)
    units = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    ends = type(encoder.spec.stages[-1]).__name__ == "Normalize"
    expected = units if normalize or (normalize is None and ends) else plain
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("executor", ["native", "reference"])
def test_drift_is_reported_by_either_executor(executor, saved):
    encoder = Encoder.load(saved("int8-static")[1], executor=executor)
    assert encoder.drift().layers == ()
    encoder.encode(TEXTS)
    layers = encoder.drift().layers
    assert [layer.name for layer in layers] == list(encoder.calibration.ends)
    tokens = sum(len(ids) for ids in encoder.tokenizer.encode(TEXTS).ids)
    widths = [encoder.tensors.linears[layer.name].k for layer in layers]
    assert [layer.codes for layer in layers] == [tokens * width for width in widths]


def test_dynamic_models_have_no_drift(saved):
    encoder = Encoder.load(saved("int8-dynamic")[1])
    encoder.encode(TEXTS)
    assert encoder.drift().layers == ()


def test_tensors_of_another_spec_are_refused(tiny, model_folder):
    other = model_folder("mpnet").load()
    with pytest.raises(ModelError, match=r"tensors.tables must hold .* got"):
        tiny.with_tensors(other.tensors)


def test_tensors_of_another_recipe_are_refused(tiny, saved):
    numbers = saved("fp16")[0].tensors
    wrong = Tensors(RECIPES["bf16"], numbers.linears, numbers.tables, numbers.others)
    with pytest.raises(ModelError, match="must be stored as bfloat16, as the recipe says, got flo"):
        tiny.with_tensors(wrong)


@pytest.mark.parametrize(
    "text", ["a word, " * 12_500, "a" * 100_000, "日本語" * 33_000, " " * 100_000]
)
def test_a_very_long_text_takes_no_longer_than_its_first_tokens(text, tiny):
    start = time.perf_counter()
    assert np.isfinite(tiny.encode(text)).all()
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("executor", ["native", "reference"])
def test_an_encoder_nobody_holds_is_freed_at_once(executor, saved):
    for folder in (saved("int8-dynamic")[1], MODELS / "bert"):
        encoder = Encoder.load(folder, executor=executor)
        encoder.encode(TEXTS)
        assert encoder.weights
        watched = weakref.ref(encoder._executors)
        gc.disable()
        try:
            del encoder
            assert watched() is None
        finally:
            gc.enable()
