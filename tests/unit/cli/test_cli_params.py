from __future__ import annotations

import pytest
import typer

from fewbits.cli.params import parse_params
from fewbits.vectors import make_quantizer, quantizer_names


@pytest.mark.parametrize(
    ("name", "pair", "value"),
    [
        ("int8", "symmetric=false", False),
        ("int8", "symmetric=Yes", True),
        ("int8", "seed=7", 7),
        ("int8", "observer=percentile:99.9", "percentile:99.9"),
        ("int8", "center=none", None),
        ("int8", "center=true", True),
        ("int8", "rounding=stochastic", "stochastic"),
        ("int8", "granularity=group:8", "group:8"),
    ],
)
def test_a_value_is_read_as_the_type_of_its_field(name, pair, value):
    key = pair.partition("=")[0]
    assert parse_params(name, [pair]) == {key: value}
    assert type(parse_params(name, [pair])[key]) is type(value)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("symmetric", "KEY=VALUE"),
        ("=1", "KEY=VALUE"),
        ("bits=3", "no parameter 'bits'; it takes"),
        ("metric=ip", "--metric"),
        ("seed=many", "seed must be an integer, got 'many'"),
        ("symmetric=2", "true or false"),
        ("center=maybe", "center must be true or false or none"),
        ("rounding=up", "nearest or stochastic"),
        ("step=1", "no parameter 'step'"),
    ],
)
def test_a_bad_pair_is_wrong_usage_and_says_what_was_expected(pair, words):
    with pytest.raises(typer.BadParameter, match=words):
        parse_params("int8", [pair])


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(typer.BadParameter, match="twice"):
        parse_params("int8", ["seed=1", "seed=2"])


@pytest.mark.parametrize("name", quantizer_names())
def test_every_default_of_every_quantizer_can_be_given_as_text(name):
    params = {key: value for key, value in make_quantizer(name).params().items() if key != "metric"}
    read = parse_params(name, [f"{key}={value}" for key, value in params.items()])
    assert read == params
    assert make_quantizer(name, **read).params() == make_quantizer(name).params()
