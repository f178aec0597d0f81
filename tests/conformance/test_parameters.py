"""Parameters of quantizers that are refused, each by its name."""

from __future__ import annotations

import pytest
from variants import quiet, sample

from fewbits.errors import InputError

D = 12

PARAMETERS = [
    ("int8", {"metric": "dot"}, "metric"),
    ("int8", {"metric": None}, "metric"),
    ("int8", {"granularity": "row"}, "granularity"),
    ("int8", {"granularity": "group:0"}, "group"),
    ("int8", {"granularity": 3}, "granularity"),
    ("int8", {"observer": "best"}, "observer"),
    ("int8", {"observer": "percentile:x"}, "observer"),
    ("int8", {"observer": "mse:3"}, "observer"),
    ("int8", {"observer": None}, "observer"),
    ("int8", {"rounding": "up"}, "rounding"),
    ("int8", {"seed": -1}, "seed"),
    ("int8", {"seed": 1.5}, "seed"),
    ("int8", {"seed": 2**64}, "seed"),
    ("int8", {"symmetric": "no"}, "symmetric"),
    ("int8", {"symmetric": None}, "symmetric"),
    ("int8", {"dynamic": 1}, "dynamic"),
    ("int8", {"center": "mean"}, "center"),
    ("int8", {"correct": 0}, "correct"),
    ("int8", {"dynamic": True, "center": True}, "center"),
    ("int8", {"dynamic": True, "symmetric": False, "correct": True}, "correct"),
    ("int8", {"bits": 3}, "bits"),
    ("int8", {"dims": 3}, "dims"),
    ("int8", {"mean": 3}, "mean"),
    ("binary", {"query": "float"}, "query"),
    ("float16", {"center": True}, "float16"),
    ("float16", {"correct": True}, "float16"),
    ("float16", {"dynamic": True}, "float16"),
    ("float16", {"granularity": "vector"}, "float16"),
    ("float16", {"rounding": "stochastic"}, "float16"),
    ("int3", {}, "binary, float16, int4, int8, ternary"),
    (None, {}, "quantizer"),
    (["int8"], {}, "quantizer"),
]


@pytest.mark.parametrize(("kind", "params", "word"), PARAMETERS)
def test_impossible_parameters_are_refused_by_name(kind, params, word):
    from fewbits.vectors import make_quantizer

    with pytest.raises(InputError, match=word):
        make_quantizer(kind, **params)


def test_a_group_that_does_not_divide_the_width_is_refused_and_nothing_is_learned():
    from fewbits.vectors import Int8

    quantizer = Int8(granularity="group:5")
    with pytest.raises(InputError, match="group size 5 must divide the 12 columns"), quiet():
        quantizer.fit(sample(64, D))
    assert not quantizer.fitted
    assert quantizer.dims is None
