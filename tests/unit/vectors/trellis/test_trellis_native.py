"""Every CPU level writes the bytes and scores the bits of the numpy specification."""

from __future__ import annotations

import numpy as np
import pytest

from fewbits.vectors import set_simd_level, simd_level, simd_levels
from fewbits.vectors.trellis import bitstream, bridge, fitting, scoring, specification
from fewbits.vectors.trellis.budget import Budget
from fewbits.vectors.trellis.plan import TrellisPlan


@pytest.fixture(params=simd_levels())
def level(request):
    before = simd_level()
    set_simd_level(request.param)
    yield request.param
    set_simd_level(before)


def plan_of(
    d: int, size: int, metric: str, *, scalar_bytes: int = 2, lists: int = 1, decay: float = 0.1
) -> TrellisPlan:
    rng = np.random.default_rng([d, size])
    axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
    variance = np.geomspace(1, decay, d)
    centroids = 0.3 * rng.standard_normal((lists, d)).astype(np.float32)
    plan = fitting.build(
        axes, variance / variance.sum(), centroids, metric, Budget(size, 4, 0.5, 10**6)
    )
    s, b = np.array([0.2, 2.5]), np.array([-0.4, 0.6])
    return fitting.with_ranges(plan, scalar_bytes, s, b).replaced(residual_norm=1.0)


def vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng([seed, d]).standard_normal((n, d)).astype(np.float32)
    x[0] = 0
    if n > 3:
        x[1] *= 1e-38
        x[2] *= 1e14
        x[3, : d // 2] = 0
    return x


SHAPES = [(1, 1), (3, 4), (8, 3), (13, 9), (64, 5), (64, 12), (96, 100), (130, 33), (384, 24)]


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bytes_are_those_of_the_specification(level, shape, metric):
    d, size = shape
    plan = plan_of(d, size, metric)
    x = vectors(37, d)
    codes, lost = bridge.encode(x, plan)
    expected, share = specification.encode(x, plan)
    assert np.array_equal(codes, expected)
    assert np.array_equal(lost, share)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_unpack_and_decode_as_specified(level, shape):
    d, size = shape
    plan = plan_of(d, size, "cosine", lists=3)
    codes = np.random.default_rng(1).integers(0, 256, (230, plan.code_size), dtype=np.uint8)
    assert np.array_equal(bridge.unpack(codes, plan), bitstream.unpack(codes, plan))
    codes[:, -4:] = 0
    assert np.array_equal(bridge.decode(codes, plan), specification.decode(codes, plan))


@pytest.mark.parametrize("scalar_bytes", [1, 2, 4])
@pytest.mark.parametrize("lists", [1, 3, 300])
def test_scalars_and_centroids_are_stored_as_specified(level, scalar_bytes, lists):
    plan = plan_of(40, 14, "ip", scalar_bytes=scalar_bytes, lists=lists)
    x = vectors(50, 40)
    extra = np.random.default_rng(0).standard_normal(50)
    assert np.array_equal(bridge.encode(x, plan)[0], specification.encode(x, plan)[0])
    with_extra = specification.encode(x, plan, extra)[0]
    assert np.array_equal(bridge.encode(x, plan, extra)[0], with_extra)
    assert np.array_equal(bridge.assign(x, plan), specification.assign(x, plan))


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores_are_those_of_the_specification(level, shape, metric):
    d, size = shape
    plan = plan_of(d, size, metric, lists=3)
    codes = np.random.default_rng(1).integers(0, 256, (70, plan.code_size), dtype=np.uint8)
    codes[:, -4:] = bridge.encode(vectors(70, d), plan)[0][:, -4:]  # scalars that are numbers
    q = vectors(6, d, seed=2)
    expected = scoring.scores(q, codes, plan)
    assert np.array_equal(bridge.score(q, codes, plan), expected)
    lines = np.random.default_rng(3).integers(-1, 70, (6, 9))
    picked = np.where(lines < 0, -np.inf, np.take_along_axis(expected, np.maximum(lines, 0), 1))
    assert np.array_equal(bridge.score_rows(q, codes, lines, plan), picked.astype(np.float32))


@pytest.mark.parametrize("rows", [None, "some"])
@pytest.mark.parametrize("nq", [1, 2, 7, 40])
@pytest.mark.parametrize("k", [1, 10, 700, 5000])
def test_searches_rank_by_the_specification_and_ties_go_to_the_lower_row(level, nq, k, rows):
    plan = plan_of(48, 11, "cosine")
    codes = bridge.encode(vectors(900, 48), plan)[0]
    codes = np.concatenate([codes, codes[::3]])  # ties
    q = vectors(nq, 48, seed=5)
    chosen = None if rows is None else np.flatnonzero(np.arange(len(codes)) % 7 < 3)
    among = np.arange(len(codes)) if chosen is None else chosen
    expected = scoring.scores(q, codes[among], plan)
    order = np.argsort(-expected, axis=1, kind="stable")[:, :k]
    scores, found = bridge.search(q, codes, plan, k, chosen, 2)
    assert np.array_equal(found, among[order])
    assert np.array_equal(scores, np.take_along_axis(expected, order, axis=1))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("nq", [1, 9])
def test_lists_hold_what_a_scan_of_them_finds(level, nq, metric):
    plan = plan_of(32, 10, metric, lists=12)
    codes = bridge.encode(vectors(800, 32), plan)[0]
    lists = specification.row_lists(codes, plan)
    codes = codes[np.argsort(lists, kind="stable")]
    lists = np.sort(lists)
    offsets = np.searchsorted(lists, np.arange(13))
    q = vectors(nq, 32, seed=5)
    alive = (np.arange(800) % 5 > 0).astype(np.uint8)
    expected = np.where(alive > 0, scoring.scores(q, codes, plan), -np.inf)
    order = np.argsort(-expected, axis=1, kind="stable")[:, :20]
    scores, rows, probed = bridge.search_lists(q, codes, plan, offsets, alive, 20, 0, -1.0)
    assert np.array_equal(rows, order)
    assert np.array_equal(scores, np.take_along_axis(expected, order, axis=1))
    assert np.all(probed <= 12)


def test_a_row_does_not_depend_on_its_batch(level):
    plan = plan_of(96, 30, "cosine")
    x = vectors(40, 96)
    whole = bridge.encode(x, plan, threads=2)[0]
    single = np.concatenate([bridge.encode(x[i : i + 1], plan)[0] for i in range(40)])
    assert np.array_equal(whole, single)
