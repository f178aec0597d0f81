"""A vector depends on its text alone: not on batch, order, neighbours, progress or taps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, FIXTURES, MODELS

from fewbits.errors import InputError, ModelError
from fewbits.models import Encoder
from fewbits.models.reference import Reference

SENTENCES = FIXTURES["sentences"]
WORDS = "load network score zero vector a the of measure under free".split()


def drift(got, expected):
    """Largest difference of any coordinate, as a share of its vector's length."""
    return (np.abs(got - expected).max(axis=1) / np.linalg.norm(expected, axis=1)).max()


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(3)
    return [" ".join(rng.choice(WORDS, size=rng.integers(0, 40))) for _ in range(60)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_tokens", [1, 7, 64, 500, 10**9])
def test_the_batch_size_changes_nothing(family, batch_tokens, texts):
    encoder = Encoder.load(MODELS / family)
    alone = np.stack([encoder.encode(text) for text in texts])
    got = encoder.encode(texts, batch_tokens=batch_tokens)
    assert drift(got, alone) <= 1e-6


def test_the_order_of_texts_is_kept(tiny, texts):
    order = np.random.default_rng(1).permutation(len(texts))
    shuffled = tiny.encode([texts[i] for i in order], batch_tokens=100)
    assert drift(shuffled, tiny.encode(texts)[order]) <= 1e-6


def test_minilm_vectors_do_not_depend_on_their_batch(minilm, texts):
    texts = [*texts[:12], *SENTENCES, "long " * 300]
    alone = np.stack([minilm.encode(text) for text in texts])
    for batch_tokens in (50, 8192):
        assert np.abs(minilm.encode(texts, batch_tokens=batch_tokens) - alone).max() <= 1e-6


def test_equal_calls_give_equal_bytes(tiny, texts):
    assert tiny.encode(texts).tobytes() == tiny.encode(texts).tobytes()


def test_eight_threads_sharing_one_encoder_agree_with_one(tiny, texts):
    expected = tiny.encode(texts, batch_tokens=100).tobytes()
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda _: tiny.encode(texts, batch_tokens=100).tobytes(), range(24))
    assert set(results) == {expected}


def test_a_bare_string_gives_one_vector(tiny):
    one = tiny.encode("A zero row scores zero.")
    assert one.shape == (32,)
    np.testing.assert_array_equal(one, tiny.encode(["A zero row scores zero."])[0])


def test_no_texts_give_no_rows(tiny):
    got = tiny.encode([])
    assert (got.shape, got.dtype) == ((0, 32), np.float32)
    assert tiny.truncated == 0


def test_a_text_without_any_token_is_a_zero_row(model_folder, texts):
    folder = model_folder("mpnet")
    folder.edit("tokenizer.json", post_processor=None)
    encoder = folder.load()
    got = encoder.encode(["", *texts[:3], ""])
    assert not got[[0, 4]].any()
    np.testing.assert_array_equal(got[1:4] != 0, True)
    assert not encoder.encode("").any()


def test_any_iterable_of_strings_will_do(tiny):
    expected = tiny.encode(SENTENCES)
    for texts in (tuple(SENTENCES), iter(SENTENCES), np.array(SENTENCES)):
        np.testing.assert_array_equal(tiny.encode(texts), expected)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a", 3], r"texts\[1\] must be a str, got int"),
        ([None], r"texts\[0\] must be a str, got NoneType"),
        ([b"a"], r"texts\[0\] must be a str, got bytes"),
        (["a", ["b"]], r"texts\[1\] must be a str, got list"),
        (7, "texts must be a str or an iterable of str, got int"),
        (None, "texts must be a str or an iterable of str, got NoneType"),
        (["a", "b\ud800"], r"texts\[1\] has a lone surrogate '\\ud800' at character 1"),
        ("\udfff", r"texts\[0\] has a lone surrogate"),
    ],
)
def test_what_is_not_text_is_refused_by_position(tiny, texts, expected):
    with pytest.raises(InputError, match=expected):
        tiny.encode(texts)


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("batch_tokens", 0, "batch_tokens must be at least 1"),
        ("batch_tokens", 1.5, "batch_tokens must be an integer"),
        ("progress", 3, "progress must be None, a bool or a function"),
        ("prompt_name", "query", r"prompt_name must be one of the model's \(none\), got 'query'"),
        ("prompt", 3, "prompt must be a str or None, got int"),
        ("prompt", "\ud800", "prompt has a lone surrogate"),
    ],
)
def test_a_wrong_argument_is_named(tiny, argument, value, expected):
    with pytest.raises(InputError, match=expected):
        tiny.encode(["a"], **{argument: value})


def test_long_texts_are_cut_and_counted(tiny):
    long = "network " * 12_500
    got = tiny.encode([long, "short", long])
    assert tiny.truncated == 2
    np.testing.assert_allclose(got[0], got[2], atol=1e-6)
    np.testing.assert_allclose(got[0], tiny.encode("network " * 500), atol=1e-6)
    tiny.encode("short")
    assert tiny.truncated == 0


@pytest.mark.parametrize(
    ("settings", "companion", "length"),
    [
        ({}, {}, 64),
        ({}, {"model_max_length": 20}, 20),
        ({}, {"model_max_length": 1e30}, 64),
        ({"max_seq_length": 12}, {"model_max_length": 20}, 12),
        ({"max_seq_length": None}, {"model_max_length": 20}, 20),
        ({"max_seq_length": 9999}, {}, 64),
    ],
)
def test_the_length_limit_is_the_smallest_that_applies(settings, companion, length, model_folder):
    folder = model_folder("bert")
    folder.write("tokenizer_config.json", companion)
    folder.write("sentence_bert_config.json", settings)
    encoder = folder.load()
    assert encoder.max_length == encoder.spec.max_length == length
    encoder.encode("network " * (length - 2))
    cut = encoder.truncated
    encoder.encode("network " * length * 3)
    assert (cut, encoder.truncated) == (int(len_of(encoder, length - 2) > length), 1)


def len_of(encoder, words):
    return len(encoder.tokenizer._engine.encode("network").ids[1:-1]) * words + 2


def test_prompts_come_before_every_text(model_folder):
    folder = model_folder(variant="prompt")
    prompts = {"query": "query: ", "plain": ""}
    folder.edit("config_sentence_transformers.json", prompts=prompts, default_prompt_name="query")
    encoder = folder.load()
    asked = encoder.encode(["query: a", "query: bc"], prompt="")
    np.testing.assert_array_equal(encoder.encode(["a", "bc"]), asked)
    np.testing.assert_array_equal(encoder.encode(["a", "bc"], prompt_name="query"), asked)
    np.testing.assert_array_equal(encoder.encode(["a", "bc"], prompt="query: "), asked)
    bare = encoder.encode(["a", "bc"], prompt="")
    np.testing.assert_array_equal(encoder.encode(["a", "bc"], prompt_name="plain"), bare)
    assert np.abs(bare - asked).max() > 1e-3
    with pytest.raises(InputError, match=r"\('query', 'plain'\), got 'passage'"):
        encoder.encode(["a"], prompt_name="passage")


def test_normalize_overrides_the_model(model_folder, tiny):
    with_norm = model_folder(variant="mean-normalized").load()
    unit = with_norm.encode(SENTENCES)
    raw = with_norm.encode(SENTENCES, normalize=False)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1)[:, None], unit, atol=1e-6)
    assert np.abs(np.linalg.norm(raw, axis=1) - 1).min() > 0.01
    forced = tiny.encode(SENTENCES, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(forced, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(tiny.encode(SENTENCES, normalize=False), tiny.encode(SENTENCES))


def test_progress_counts_up_to_all_texts(tiny, texts):
    seen = []
    tiny.encode(texts, batch_tokens=200, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 3
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(texts), len(texts))
    assert {total for _, total in seen} == {len(texts)}


def test_a_progress_bar_changes_nothing(tiny, texts, capsys):
    np.testing.assert_array_equal(tiny.encode(texts, progress=True), tiny.encode(texts))
    assert "100%" in capsys.readouterr().out


def test_taps_see_every_linear_and_layer_and_change_nothing(model_folder, texts):
    encoder = Encoder.load(model_folder(variant="dense-tanh").path, executor="reference")
    rows: dict[str, int] = {}
    widths: dict[str, int] = {}

    def tap(name, array):
        rows[name] = rows.get(name, 0) + len(array)
        widths[name] = array.shape[1]

    got = encoder.encode(texts, tap=tap, batch_tokens=300)
    np.testing.assert_array_equal(got, encoder.encode(texts, batch_tokens=300))
    shapes = encoder.spec.shapes()
    for name in encoder.spec.linears():
        assert widths.pop(f"{name}.input") == shapes[f"{name}.weight"][1]
    outputs = {"embeddings.output": 32, "layers.0.output": 32, "layers.1.output": 32}
    assert widths == outputs
    total = sum(len(ids) for ids in encoder.tokenizer.encode(texts).ids)
    assert rows.pop("dense.0.input") == len(texts)
    assert set(rows.values()) == {total}


def test_taps_show_what_the_next_linear_reads(tiny):
    seen = {}
    tiny.encode("one text", tap=lambda name, array: seen.update({name: array.copy()}))
    np.testing.assert_array_equal(seen["embeddings.output"], seen["layers.0.qkv.input"])
    np.testing.assert_array_equal(seen["layers.0.output"], seen["layers.1.qkv.input"])


def test_weights_that_contradict_the_spec_are_refused(tiny):
    short = {**tiny.weights, "layers.0.ffn_in.bias": np.zeros(3, np.float32)}
    with pytest.raises(ModelError, match=r"'layers.0.ffn_in.bias'.*\(64,\), got \(3,\)"):
        Reference(tiny.spec, short)
    del short["layers.0.ffn_in.bias"]
    with pytest.raises(ModelError, match="got nothing"):
        Reference(tiny.spec, short)
