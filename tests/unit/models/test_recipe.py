"""Recipes as data: which row decides, what is refused, and that JSON keeps them."""

from __future__ import annotations

import json

import pytest

from fewbits.errors import InputError, ModelError
from fewbits.models.recipe import Recipe, Row, tables_of

RECIPES = {
    "float32": Recipe.float32(),
    "fp16": Recipe.fp16(),
    "bf16": Recipe.bf16(),
    "int8-dynamic": Recipe.int8(),
    "int8-static": Recipe.int8("static"),
    "int8-float32": Recipe.int8("float32"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_goes_through_json_unchanged(name):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_something_of_every_module(name, tiny):
    rows = RECIPES[name].resolve(tiny.spec)
    assert set(rows) == {*tables_of(tiny.spec), *tiny.spec.linears()}
    assert all(row.match == module for module, row in rows.items())


def test_the_last_matching_row_decides(tiny):
    recipe = Recipe.int8().with_row("layers.0.*", weights="float16")
    rows = recipe.with_row("layers.0.qkv", weights="int8").resolve(tiny.spec)
    assert rows["layers.0.ffn_in"].weights == "float16"
    assert (rows["layers.0.qkv"].weights, rows["layers.0.qkv"].activations) == ("int8", "float32")
    assert rows["layers.1.qkv"].activations == "dynamic"


def test_modules_without_a_row_stay_float32(tiny):
    rows = Recipe("words", (Row("embeddings.word", weights="int8"),)).resolve(tiny.spec)
    assert rows["embeddings.word"].weights == "int8"
    assert {row.weights for name, row in rows.items() if name != "embeddings.word"} == {"float32"}


def test_dynamic_int8_smooths_only_what_comes_from_a_norm(tiny):
    rows = Recipe.int8().resolve(tiny.spec)
    smoothed = {name.rsplit(".", 1)[1] for name, row in rows.items() if row.smooth}
    assert smoothed == {"qkv", "ffn_in"}
    assert not any(row.symmetric for row in rows.values())


def test_a_row_that_matches_nothing_is_refused_by_name(tiny):
    with pytest.raises(ModelError, match=r"'layers\.9\.qkv' matches no layer; layers are embed"):
        Recipe.int8().with_row("layers.9.qkv", weights="float16").resolve(tiny.spec)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"weights": "int3"}, "weights must be one of"),
        ({"weights": "int8", "activations": "often"}, "activations must be one of"),
        ({"clip": "half"}, "clip must be one of"),
        ({"smooth": 1.5}, "smooth must be 0 to 1"),
        ({"activations": "dynamic"}, "needs weights='int8', got 'float32'"),
        ({"colour": "red"}, "a recipe row has match, .*; got 'colour'"),
    ],
)
def test_a_wrong_row_is_refused(choices, message):
    with pytest.raises(InputError, match=message):
        Recipe().with_row("*", **choices)


@pytest.mark.parametrize("data", [{}, {"rows": 3}, {"rows": ["*"]}])
def test_other_data_is_no_recipe(data):
    with pytest.raises(InputError, match="must have a list of rows"):
        Recipe.from_dict(data)
