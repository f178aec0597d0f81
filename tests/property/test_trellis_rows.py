"""Trellis codes of any rows, after a fit on any rows: finite, and those of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from variants import at_every_level, cases, quiet

from fewbits.vectors.trellis import scoring, specification

LIMIT = float(np.float32(1e15))
FLOATS = st.floats(-LIMIT, LIMIT, width=32, allow_subnormal=True)
SMALL = st.floats(-100, 100, width=32, allow_subnormal=False)


@st.composite
def matrices(draw):
    """Draw (calibration rows, rows, queries) of one width."""
    d = draw(st.integers(1, 16))
    elements = draw(st.sampled_from([FLOATS, SMALL]))
    return [
        draw(npst.arrays(np.float32, (draw(st.integers(1, 6)), d), elements=elements))
        for _ in range(3)
    ]


@pytest.mark.parametrize("variant", cases(kinds=("trellis",)), ids=str)
@settings(max_examples=20)
@given(data=matrices())
def test_any_rows_give_the_codes_and_scores_of_the_specification(variant, data):
    fit, x, q = data
    with quiet():
        quantizer = variant.make(fit.shape[1]).fit(fit)
    plan = quantizer.plan()
    codes = specification.encode(x, plan)[0]
    scores = scoring.scores(q, codes, plan)
    for found in at_every_level(lambda: (quantizer.encode(x), quantizer.score(q, codes))):
        assert np.array_equal(found[0], codes)
        assert np.array_equal(found[1], scores)
    assert np.isfinite(scores).all()
    assert np.isfinite(quantizer.decode(codes)).all()
