"""What every quantizer promises about its codes: bounds, independence, order, noise."""

from __future__ import annotations

import numpy as np
import pytest
from variants import alike, at_every_level, cases, same_bits, sample

from fewbits.vectors import specification

CASES = cases()
LINEAR = cases(linear=True)
D = 24

# Plain codes of fixed steps decode to exactly the values that encode back to them. Not so: cosine
# (the decoded row is normalised again), corrected kinds (the factors move the decoded row), and
# steps taken from the row (the decoded row has another range or another root mean square).
IDEMPOTENT = [
    v
    for v in LINEAR
    if v.metric != "cosine"
    and (v.kind, v.label)
    in {
        *(("int8", name) for name in ("default", "asymmetric", "dimension", "group", "centred")),
        *(("int8", name) for name in ("minmax", "percentile", "entropy", "moving-average")),
        *(("int4", name) for name in ("plain", "asymmetric-plain")),
        ("ternary", "plain"),
        ("ternary", "centred"),
        ("binary", "plain"),
        ("float16", "default"),
    }
]
# The largest magnitude of a row is a code itself, so the decoded row has the same step (its last
# bits may differ: only the codes are compared).
SAME_CODES = [
    v
    for v in LINEAR
    if v.metric != "cosine"
    and (v.kind, v.label)
    in {("int8", "dynamic"), ("int4", "dynamic-plain"), ("binary", "dynamic-plain")}
]


def rows_of(variant, x):
    """Return what the codes stand for: unit rows under cosine."""
    return specification.normalise(x) if variant.metric == "cosine" else x


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_encode_is_independent_of_the_batch(variant):
    quantizer = variant.fitted(D)
    x = sample(29, D, seed=1)
    whole = quantizer.encode(x)
    alone = np.vstack([quantizer.encode(row[None]) for row in x])
    split = np.vstack([quantizer.encode(x[:7]), quantizer.encode(x[7:8]), quantizer.encode(x[8:])])
    order = np.random.default_rng(1).permutation(len(x))
    assert same_bits(alone, whole)
    assert same_bits(split, whole)
    assert same_bits(quantizer.encode(x[order]), whole[order])


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_decode_is_independent_of_the_batch(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(sample(29, D, seed=1))
    whole = quantizer.decode(codes)
    assert same_bits(np.vstack([quantizer.decode(row[None]) for row in codes]), whole)
    assert same_bits(quantizer.decode(codes[::-1]), whole[::-1].copy())


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_encoding_twice_gives_the_same_bytes(variant):
    quantizer, x = variant.fitted(D), sample(29, D, seed=1)
    assert same_bits(quantizer.encode(x), quantizer.encode(x))


@pytest.mark.parametrize("variant", IDEMPOTENT, ids=str)
def test_encode_gives_back_the_codes_of_a_decoded_row(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(sample(200, D, seed=1))
    assert same_bits(quantizer.encode(quantizer.decode(codes)), codes)


@pytest.mark.parametrize("variant", SAME_CODES, ids=str)
def test_encode_gives_back_the_codes_of_a_row_with_its_own_step(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(sample(200, D, seed=1))
    again = quantizer.encode(quantizer.decode(codes))
    payload = quantizer.form().payload
    assert same_bits(again[:, :payload].copy(), codes[:, :payload].copy())


def levels_of(quantizer, x):
    """Return (r, step, zero, inside): centred rows, and which values the range covers."""
    form = quantizer.form()
    r = rows_of(quantizer, x) - form.mean
    step, zero = specification._row_steps(r, form)
    level = np.rint(r / step) + zero
    return r, step, (level >= form.low) & (level <= form.high)


UNCORRECTED = [
    v
    for v in LINEAR
    if v.kind not in ("binary", "float16")
    and not v.params.get("rounding")
    and not v.make(D).correct
]
CORRECTED = [v for v in LINEAR if v.make(D).correct]


@pytest.mark.parametrize("variant", UNCORRECTED, ids=str)
def test_plain_codes_decode_to_within_half_a_step(variant):
    quantizer = variant.fitted(D)
    x = sample(100, D, seed=1)
    r, step, inside = levels_of(quantizer, x)
    error = np.abs(quantizer.decode(quantizer.encode(x)) - quantizer.form().mean - r)
    slack = 4e-7 * (np.abs(r) + np.abs(quantizer.form().mean))
    assert inside.mean() > 0.5
    assert np.all((error <= step * np.float32(0.5) + slack)[inside])


@pytest.mark.parametrize("variant", cases(kinds=("float16",)), ids=str)
def test_halves_are_within_two_to_the_minus_eleven(variant):
    x = sample(100, D, seed=1)
    quantizer = variant.fitted(D)
    y = rows_of(variant, x)
    decoded = quantizer.decode(quantizer.encode(x))
    assert np.all(np.abs(decoded - y) <= np.abs(y) * 2.0**-11 + 2.0**-25)
    assert same_bits(decoded, y.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    "variant", [v for v in cases(kinds=("binary",)) if "stochastic" not in v.label], ids=str
)
def test_bits_are_the_signs_of_the_centred_rows_in_the_order_of_packbits(variant):
    quantizer, x = variant.fitted(21), sample(50, 21, seed=1)
    r = rows_of(variant, x) - quantizer.form().mean
    codes = quantizer.encode(x)
    assert same_bits(codes[:, :3].copy(), np.packbits(r > 0, axis=1))


@pytest.mark.parametrize(
    "variant", [v for v in CORRECTED if v.metric != "l2" and v.make(D).center], ids=str
)
def test_corrected_codes_keep_the_component_along_the_mean(variant):
    quantizer = variant.fitted(D)
    form = quantizer.form()
    assert form.beta
    x = sample(100, D, seed=1)
    along = rows_of(variant, x).astype(np.float64) @ form.mean
    found = quantizer.decode(quantizer.encode(x)).astype(np.float64) @ form.mean
    assert np.allclose(found, along, rtol=1e-4, atol=1e-4 * np.abs(along).max())


@pytest.mark.parametrize("variant", CORRECTED, ids=str)
def test_corrected_codes_score_their_own_centred_row_exactly(variant):
    quantizer = variant.fitted(D)
    form = quantizer.form()
    x = sample(100, D, seed=1)
    r = (rows_of(variant, x) - form.mean).astype(np.float64)
    codes = quantizer.encode(x)
    alpha, _, _ = specification.unpack_factors(codes, form)
    c = form.gain * specification.unpack_stored(codes, form) - form.zero
    scaled = c * form.step if form.step_rule == "fixed" else c
    along = (r * scaled * alpha[:, None].astype(np.float64)).sum(axis=1)
    assert np.allclose(along, (r * r).sum(axis=1), rtol=1e-5)


MONOTONE = [v for v in LINEAR if v.metric == "ip" and not v.params.get("dynamic")]


@pytest.mark.parametrize("variant", [v for v in MONOTONE if not v.params.get("rounding")], ids=str)
def test_a_larger_value_never_gets_a_smaller_code(variant):
    quantizer = variant.fitted(D)
    form = quantizer.form()
    values = np.sort(sample(300, D, seed=6), axis=0)
    codes = quantizer.encode(values)
    if form.packing == "f16":
        stored = quantizer.decode(codes)
    else:
        stored = specification.unpack_stored(codes, form)
    assert np.all(np.diff(stored, axis=0) >= 0)


def reference_scores(quantizer, q, codes):
    """Return (scores, tolerance) in float64 from decoded vectors and the documented formulas."""
    form, metric = quantizer.form(), quantizer.metric
    wide, x = q.astype(np.float64), quantizer.decode(codes).astype(np.float64)
    if metric == "cosine":
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    terms = np.abs(wide) @ (np.abs(x) + np.abs(form.mean)).T
    if form.packing == "f16":
        plane = np.zeros((len(q), 1))
        spread = np.zeros((1, len(x)))
    else:
        values = wide * form.step if form.step_rule == "fixed" else wide
        unit = np.abs(values).max(axis=1, keepdims=True) / 127
        plane = unit / 2 if form.planes == 1 else unit / 254  # 254 levels, of which half is lost
        alpha, _, _ = specification.unpack_factors(codes, form)
        if form.step_rule == "offset":
            spread = (np.abs(x) / alpha[:, None]).sum(axis=1)[None] * alpha
        else:
            c = form.gain * specification.unpack_stored(codes, form) - form.zero
            spread = (np.abs(c).sum(axis=1) * np.abs(alpha))[None]
    tolerance = plane * spread + 2e-6 * terms
    if metric != "l2":
        return wide @ x.T, tolerance
    squares = (wide * wide).sum(axis=1)[:, None]
    if form.correct:
        alpha, _, nu = specification.unpack_factors(codes, form)
        c = form.gain * specification.unpack_stored(codes, form) - form.zero
        scaled = (c * form.step if form.step_rule == "fixed" else c) * alpha[:, None].astype(float)
        shifted = wide - form.mean
        exact = 2 * wide @ scaled.T - nu.astype(float) - (shifted**2).sum(axis=1)[:, None]
        size = np.abs(nu)[None] + (shifted**2).sum(axis=1)[:, None]
        return exact, 2 * tolerance + 2e-6 * (size + 2 * np.abs(wide) @ np.abs(scaled).T)
    norms = (x * x).sum(axis=1)[None]
    return 2 * wide @ x.T - squares - norms, 2 * tolerance + 2e-6 * (squares + norms)


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("variant", [v for v in LINEAR if "bits" not in v.label], ids=str)
def test_a_score_is_that_of_the_decoded_vector_up_to_the_rounding_of_the_query(variant, seed):
    quantizer = variant.fitted(D)
    codes, q = quantizer.encode(sample(60, D, seed=2)), sample(8, D, seed=seed)
    expected, tolerance = reference_scores(quantizer, q, codes)
    assert np.all(np.abs(quantizer.score(q, codes) - expected) <= tolerance)


@pytest.mark.parametrize("variant", cases(kinds=("int8", "int4", "float16")), ids=str)
def test_scores_come_out_in_units_of_the_metric(variant):
    quantizer = variant.fitted(D)
    x = sample(200, D)
    q = sample(20, D, seed=9)
    q[10] = sample(20, D)[10]
    found = quantizer.score(q, quantizer.encode(x)).astype(np.float64)
    wide, far = q.astype(np.float64), x.astype(np.float64)
    exact = wide @ far.T
    if variant.metric == "cosine":
        exact /= np.linalg.norm(wide, axis=1)[:, None] * np.linalg.norm(far, axis=1)
    if variant.metric == "l2":
        exact = 2 * exact - (wide**2).sum(1)[:, None] - (far**2).sum(1)
    slope = (found * exact).sum() / (exact * exact).sum()
    assert 0.9 < slope < 1.1
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.93


STOCHASTIC = [v for v in CASES if v.params.get("rounding") == "stochastic" and v.metric != "cosine"]


@pytest.mark.parametrize("variant", STOCHASTIC, ids=str)
def test_stochastic_rounding_is_unbiased(variant):
    x = np.clip(sample(1, D, seed=1), -0.2, 0.2) * np.linspace(0.2, 1, D, dtype=np.float32)
    total, rounds = np.zeros(D), 600
    for seed in range(rounds):
        drawn = type(variant)(
            variant.kind, variant.label, variant.metric, {**variant.params, "seed": seed}
        )
        quantizer = drawn.make(D).with_state(variant.fitted(D).state())
        total += quantizer.decode(quantizer.encode(x))[0]
    form = variant.fitted(D).form()
    step = np.abs(x).mean() if form.step_rule == "row" else form.step
    # A rounded value lies within one step (bits: two) of x, so the mean errs by 5 / sqrt(rounds).
    bound = 5 * np.float64(step) * (2 if form.packing == "b1" else 1) / np.sqrt(rounds)
    if form.step_rule == "row":  # bits saturate beyond the mean magnitude
        inside = np.abs(x[0]) < step
        assert np.all(np.abs(total / rounds - x[0])[inside] <= bound)
    else:
        assert np.all(np.abs(total / rounds - x[0]) <= bound)


@pytest.mark.parametrize("variant", STOCHASTIC, ids=str)
def test_another_seed_gives_other_codes(variant):
    x = sample(50, D, seed=1)
    other = {**variant.params, "seed": 8}
    quantizer = type(variant)(variant.kind, variant.label, variant.metric, other).make(D)
    quantizer.with_state(variant.fitted(D).state())
    assert not same_bits(quantizer.encode(x), variant.fitted(D).encode(x))


@pytest.mark.parametrize("variant", CASES, ids=str)
def test_identical_and_constant_rows_decode_to_finite_vectors_near_them(variant):
    for value in (0.0, 1.0, -3.5, 1e-30, 1e6):
        if variant.kind == "float16" and variant.metric != "cosine" and value > 65000:
            continue
        x = np.full((300, 5), value, np.float32)
        with alike(variant):
            quantizer = variant.make(5).fit(x)
        for codes in at_every_level(lambda q=quantizer, x=x: q.encode(x)):
            assert (codes == codes[0]).all()
            decoded = quantizer.decode(codes[:1])
            scores = quantizer.score(x[:1], codes[:1])
            assert np.isfinite(decoded).all()
            assert np.isfinite(scores).all()


@pytest.mark.parametrize("variant", [v for v in CASES if v.metric == "cosine"], ids=str)
def test_a_zero_query_scores_zero_under_cosine(variant):
    quantizer = variant.fitted(D)
    codes = quantizer.encode(sample(20, D, seed=1))
    for scores in at_every_level(lambda: quantizer.score(np.zeros((1, D), np.float32), codes)):
        assert (scores == 0).all()
