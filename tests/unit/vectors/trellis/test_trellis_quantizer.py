from __future__ import annotations

import warnings

import numpy as np
import pytest

from fewbits.errors import CalibrationWarning, InputError, NotFittedError
from fewbits.vectors import Index, Trellis


def rows(n: int, d: int = 64, seed: int = 0) -> np.ndarray:
    """Return correlated rows with an offset, like embeddings."""
    mix = np.random.default_rng(d).standard_normal((d, d)) * np.geomspace(1, 0.05, d)
    x = np.random.default_rng([seed, 7]).standard_normal((n, d)) @ mix.T + 2.0
    return x.astype(np.float32)


def recall(q: np.ndarray, x: np.ndarray, scores: np.ndarray, k: int = 10) -> float:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    exact = np.argsort(-(q @ unit.T), axis=1)[:, :k]
    found = np.argsort(-scores, axis=1)[:, :k]
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)])) / k


@pytest.mark.parametrize("bits", [0.75, 1, 1.5, 2, 3, 4, 6, 8])
def test_bits_count_every_byte_of_a_row(bits):
    quantizer = Trellis(bits=bits).fit(rows(1500))
    assert bits * 8 - 3 <= quantizer.code_size <= bits * 8
    assert quantizer.encode(rows(3)).shape == (3, quantizer.code_size)


@pytest.mark.parametrize("size", [5, 9, 16, 33])
def test_a_code_size_is_kept_to(size):
    assert Trellis(code_size=size).fit(rows(1500)).code_size == size


def test_more_bits_find_more_neighbours():
    x, q = rows(2000), rows(50, seed=1)
    found = [
        recall(q, x, quantizer.score(q, quantizer.encode(x)))
        for quantizer in (Trellis(bits=bits).fit(x) for bits in (1, 2, 4, 8))
    ]
    assert found == sorted(found)
    assert found[-1] > 0.97


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"bits": 0.1}, "0.25"),
        ({"bits": 13}, "12"),
        ({"bits": True}, "number"),
        ({"bits": float("nan")}, "nan"),
        ({"bits": 2, "code_size": 8}, "not both"),
        ({"code_size": 0}, "code_size"),
        ({"rotation": "none"}, "rotation"),
        ({"scalar_bytes": 3}, "scalar_bytes"),
        ({"centroids": 0}, "centroids"),
        ({"centroids": 70_000}, "65,536"),
        ({"centroids": 4, "rotation": "random"}, "pca"),
    ],
)
def test_bad_parameters_are_named(params, word):
    with pytest.raises(InputError, match=word):
        Trellis(**params)


@pytest.mark.parametrize("size", [4, 104])
def test_sizes_that_no_allocation_reaches_are_refused_with_the_range(size):
    with pytest.raises(InputError, match="must take 5 to 100 bytes"):
        Trellis(code_size=size, scalar_bytes=2).fit(rows(1500))


def test_without_a_fit_a_random_rotation_works_and_a_learned_one_says_so():
    x = rows(10)
    assert Trellis(rotation="random", bits=4).encode(x).shape == (10, 32)
    with pytest.raises(NotFittedError):
        Trellis(bits=4).encode(x)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_rotation_drawn_without_a_fit_is_saved_not_drawn_again(metric, tmp_path, monkeypatch):
    """Another version of numpy may draw other numbers, another LAPACK may round them otherwise."""
    x, q = rows(50), rows(3, seed=1)
    index = Index("trellis", metric=metric, rotation="random", bits=4).add(x)
    expected = index.search(q, 10)
    index.save(tmp_path / "index")
    monkeypatch.setattr("fewbits.vectors.trellis.quantizer.random_axes", None)
    again = Index.open(tmp_path / "index").add(x, ids=range(50), replace=True)
    assert np.array_equal(again.search(q, 10).scores, expected.scores)
    assert np.array_equal(again.decode(range(50)), index.decode(range(50)))


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_fewer_rows_than_axes_warn_and_keep_the_quality_of_no_fit(n):
    x, q = rows(2000), rows(60, seed=1)
    blind = Trellis(bits=3, rotation="random")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        few = Trellis(bits=3).fit(x[:n])
    assert {w.category for w in said} == {CalibrationWarning}
    assert any("too few to learn axes" in str(w.message) for w in said)
    without = recall(q, x, blind.score(q, blind.encode(x)))
    assert recall(q, x, few.score(q, few.encode(x))) >= without - 0.05


def degenerate() -> dict[str, np.ndarray]:
    thin = rows(1500)
    thin[:, 5:] = 0
    same = np.repeat(rows(1), 1500, axis=0)
    low = (rows(1500)[:, :4] @ rows(4)).astype(np.float32)
    return {
        "rank deficient": low,
        "constant": same,
        "zeros": np.zeros((1500, 64), dtype=np.float32),
        "few columns": thin,
        "duplicates": np.repeat(rows(15), 100, axis=0),
        "one outlier": np.concatenate([rows(1499), 1e12 * rows(1)]),
    }


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("name", list(degenerate()))
def test_degenerate_data_gives_finite_codes(name, metric):
    x = degenerate()[name]
    quantizer = Trellis(bits=2, metric=metric).fit(x)
    codes = quantizer.encode(x)
    assert np.all(np.isfinite(quantizer.decode(codes)))
    assert np.all(np.isfinite(quantizer.score(rows(3, seed=4), codes)))


def test_vectors_of_very_unlike_length_keep_their_neighbours():
    x = rows(2000) * np.geomspace(1e-3, 1e3, 2000)[:, None].astype(np.float32)
    q = rows(40, seed=2)
    quantizer = Trellis(bits=4, metric="ip").fit(x)
    found = np.argsort(-quantizer.score(q, quantizer.encode(x)), axis=1)[:, :10]
    exact = np.argsort(-(q @ x.T), axis=1)[:, :10]
    share = np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]) / 10
    assert share > 0.85


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_scores_are_those_of_the_metric(metric):
    x, q = rows(1500), rows(20, seed=3)
    quantizer = Trellis(bits=8, metric=metric).fit(x)
    got = quantizer.score(q, quantizer.encode(x))
    if metric == "cosine":
        a = q / np.linalg.norm(q, axis=1, keepdims=True)
        want = a @ (x / np.linalg.norm(x, axis=1, keepdims=True)).T
    elif metric == "ip":
        want = q @ x.T
    else:
        want = -((q[:, None, :] - x[None]) ** 2).sum(axis=2)
    # A value beyond eight bits' range is clipped: the few worst scores are left out.
    assert np.quantile(np.abs(got - want), 0.995) < 0.01 * want.std() + 0.005 * np.abs(want).mean()


def test_centroids_take_a_byte_and_pay_for_it():
    parts = [rows(700, seed=s) + 6 * rows(1, seed=s + 100) for s in range(4)]
    x = np.concatenate(parts)
    plain, centred = Trellis(bits=1.5).fit(x), Trellis(bits=1.5, centroids=4).fit(x)
    assert centred.code_size == plain.code_size
    assert centred.lists == 4
    assert centred.fit_distortion > 0

    def error(quantizer: Trellis) -> float:
        decoded = quantizer.decode(quantizer.encode(x))
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        return float(((decoded - unit) ** 2).sum(axis=1).mean())

    assert error(centred) < 0.8 * error(plain)
    lists = centred.list_of(centred.encode(x))
    assert np.bincount(lists, minlength=4).min() > 0


def test_distortion_tells_foreign_data():
    x = rows(2000)
    quantizer = Trellis(bits=1).fit(x)
    _, own = quantizer.encode_watched(rows(500, seed=5), 1)
    _, foreign = quantizer.encode_watched(
        np.random.default_rng(0).standard_normal((500, 64)).astype(np.float32), 1
    )
    assert own.mean() == pytest.approx(quantizer.fit_distortion, rel=0.2)
    assert foreign.mean() > 2 * own.mean()


def test_fit_gives_the_same_codes_each_time():
    x = rows(1200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = Trellis(bits=1).fit(x), Trellis(bits=1).fit(x)
    assert np.array_equal(a.encode(x), b.encode(x))
