"""Every family computes what the original implementation computed, frozen in tests/data/models."""

from __future__ import annotations

import numpy as np
import pytest
from encoder_fixtures import FAMILIES, FIXTURES, MODELS

from fewbits.models import Encoder
from fewbits.models import family as family_registry
from fewbits.models.family import Family, register, registered

SENTENCES = FIXTURES["sentences"]


def assert_parity(got, expected):
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() <= 2e-5
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((got * expected).sum(axis=1) / norms).min() >= 0.99999


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_folder_yields_the_frozen_mean_vectors(family):
    encoder = Encoder.load(MODELS / family)
    assert_parity(encoder.encode(SENTENCES), np.load(MODELS / family / "expected.npz")["mean"])


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_have_the_frozen_numbers_of_tokens(family):
    encoder = Encoder.load(MODELS / family)
    lengths = [len(ids) for ids in encoder.tokenizer.encode(SENTENCES).ids]
    assert lengths == np.load(MODELS / family / "expected.npz")["lengths"].tolist()


@pytest.mark.parametrize("variant", FIXTURES["variants"])
def test_a_sentence_transformers_folder_yields_the_frozen_vectors(variant, model_folder):
    encoder = model_folder(variant=variant).load()
    got = encoder.encode(SENTENCES, prompt_name=FIXTURES["variants"][variant]["prompt_name"])
    assert_parity(got, np.load(MODELS / "expected.npz")[variant])


def test_every_registered_family_has_a_fixture():
    assert set(FAMILIES) == set(registered()) - {"camembert"}  # camembert is roberta by name


def test_a_new_family_is_one_registration(model_folder):
    bert = registered()["bert"]
    register(Family("toy", ("toy-bert",), bert.prefix, bert.modules, bert.spec))
    folder = model_folder("bert")
    folder.edit("config.json", model_type="toy-bert")
    expected = np.load(MODELS / "bert" / "expected.npz")["mean"]
    assert_parity(folder.load().encode(SENTENCES), expected)
    del family_registry._BY_MODEL_TYPE["toy-bert"]


def test_two_families_cannot_claim_one_model_type():
    bert = registered()["bert"]
    with pytest.raises(TypeError, match="already read by family 'bert'"):
        register(Family("other", ("bert",), "", bert.modules, bert.spec))
