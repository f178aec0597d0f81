"""Code rows of arbitrary bytes: scores may be anything, but every level gives the same and ends."""

from __future__ import annotations

import numpy as np
import pytest
from trellisplans import quantizer_of, remainder_of, rows
from variants import at_every_level

from fewbits.vectors.trellis import scoring

D, N = 56, 400

SHAPES = {
    "one centroid": {"lists": 1},
    "ids of one byte": {"lists": 3},
    "ids of two bytes": {"lists": 300},
    "scalars of one byte": {"lists": 3, "scalar_bytes": 1},
    "scalars of four bytes": {"lists": 3, "scalar_bytes": 4},
    "one bit": {"lists": 5, "widths": (1,) * 7},
    "twelve bits": {"lists": 5, "widths": (12,) * 7},
    "one group": {"lists": 2, "widths": (6,)},
}


def drawn(size: int, fill: str, scalars: int) -> np.ndarray:
    """Return code rows (N, size) that hold what no encoder writes."""
    codes = np.random.default_rng([size, scalars]).integers(0, 256, (N, size), dtype=np.uint8)
    if fill == "random":
        return codes
    if fill in ("zeros", "ones"):
        return np.full_like(codes, 0 if fill == "zeros" else 255)
    kind = {1: np.uint8, 2: np.float16, 4: np.float32}[scalars]
    value = 255 if scalars == 1 else {"nan": np.nan, "infinite": -np.inf}[fill]
    raw = np.full((N // 2, 2), value, kind).view(np.uint8)  # half of the rows stay random
    codes[::2, size - 2 * scalars :] = raw
    return codes


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("fill", ["random", "zeros", "ones", "nan", "infinite"])
@pytest.mark.parametrize("what", SHAPES)
def test_any_bytes_are_scored_alike_at_every_level(what, fill, metric):
    shape = SHAPES[what]
    quantizer = quantizer_of(metric, **shape)
    codes = drawn(quantizer.code_size, fill, shape.get("scalar_bytes", 2))
    q = rows(9, D, 5000)
    with np.errstate(all="ignore"):
        expected = scoring.scores(q, codes, quantizer.plan())
        for found in at_every_level(lambda: quantizer.score(q, codes)):
            assert np.array_equal(found, expected, equal_nan=True)
        for threads in (1, 2):
            for scores, hits in at_every_level(lambda t=threads: quantizer.search(q, codes, 11)):
                check_hits(scores, hits, expected)
        assert quantizer.decode(codes).shape == (N, D)
        lists = quantizer.list_of(codes)
        assert 0 <= lists.min() <= lists.max() < quantizer.lists


def check_hits(scores, hits, expected):
    """Hits are distinct rows with their own scores; without NaN they are the best."""
    assert all(len(set(line)) == len(line) for line in hits.tolist())
    own = np.take_along_axis(expected, hits, axis=1)
    assert np.array_equal(scores, own, equal_nan=True) or np.isnan(own).any()
    if not np.isnan(expected).any():
        order = np.argsort(-expected, axis=1, kind="stable")[:, : hits.shape[1]]
        assert np.array_equal(hits, order)


@pytest.mark.parametrize("fill", ["random", "ones", "nan", "infinite"])
@pytest.mark.parametrize("what", [what for what, shape in SHAPES.items() if shape["lists"] > 1])
def test_lists_of_any_bytes_are_searched_without_harm(what, fill):
    shape = SHAPES[what]
    quantizer = quantizer_of("l2", **shape)
    codes = drawn(quantizer.code_size, fill, shape.get("scalar_bytes", 2))
    alive = (np.arange(N) % 3 > 0).astype(np.uint8)
    # Offsets need not agree with the ids in the rows where checksums were trusted.
    offsets = np.linspace(0, N, quantizer.lists + 1).astype(np.int64)
    q = rows(9, D, 5000)
    for probes, margin in ((0, -1.0), (1, -1.0), (0, 0.5), (2, 3.0)):
        for scores, hits, probed in at_every_level(
            lambda p=probes, m=margin: quantizer.scan_lists(q, codes, offsets, alive, 20, p, m, 2)
        ):
            assert scores.shape == hits.shape == (9, 20)
            real = hits[hits >= 0]
            assert real.size == 0 or real.max() < N
            assert np.all(alive[real])
            assert np.all((1 <= probed) & (probed <= quantizer.lists))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("fill", ["random", "ones", "nan", "infinite"])
def test_two_tiers_of_any_bytes_are_refined_without_harm(fill, metric):
    first = quantizer_of(metric)
    second = remainder_of(metric, first)
    codes, again = (drawn(one.code_size, fill, 2) for one in (first, second))
    q = rows(5, D, 5000)
    found = first.search(q, codes, 50)
    with np.errstate(all="ignore"):
        for reach in (0.0, 1.0, np.inf, np.nan):
            far = np.full(5, reach, np.float32)
            parts = [again[:100], again[100:]]
            for scores, hits in at_every_level(
                lambda f=far, p=parts: second.refine(q, p, found, f, 10, 2)
            ):
                assert scores.shape == hits.shape == (5, 10)
                assert hits.max() < N
        assert second.decode_after(again, codes).shape == (N, D)
