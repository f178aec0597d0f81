"""A quantizer is one class: 25 lines, no edit elsewhere, and everything works with it."""

from __future__ import annotations

import inspect
import json
import pathlib

import numpy as np
import pytest
import test_calibration
import test_every_quantizer
import test_extremes
import test_inputs
import test_saved_state
import test_search
from variants import cases, same_bits, sample

from fewbits.errors import FormatError, InputError
from fewbits.vectors import Index, Quantizer, quantizer_names
from fewbits.vectors.learner import learned


def toy_kind():
    import dataclasses

    @dataclasses.dataclass(kw_only=True, eq=False)
    class Tenths(Quantizer, name="tenths"):
        """codes = rint((x - low) / width * 200), one byte per dimension."""

        levels: int = 200
        low: float | None = learned()
        width: float | None = learned()

        def _fit(self, x):
            self.low, self.width = float(x.min()), float(np.ptp(x.astype(np.float64))) or 1.0

        def _encode(self, x, threads):
            share = (x.astype(np.float64) - self.low) / self.width
            return np.rint(np.clip(share, 0, 1) * self.levels).astype(np.uint8)

        def _decode(self, codes):
            return (codes / self.levels * self.width + self.low).astype(np.float32)

        def _code_size(self, d):
            return d

    return Tenths


@pytest.fixture
def toy(registry):
    return toy_kind()


def toys():
    return cases(kinds=("tenths",))


def test_the_toy_is_short():
    body = inspect.getsource(toy_kind).split("@dataclasses")[1].split("return Tenths")[0]
    assert len(body.strip().splitlines()) <= 25


def test_a_kind_is_known_as_soon_as_its_class_exists_and_gone_after_the_test(toy):
    assert "tenths" in quantizer_names()
    assert [v.metric for v in toys()] == ["cosine", "ip", "l2"]


def test_the_registry_is_clean_again():
    assert "tenths" not in quantizer_names()


CONFORMANCE = [
    test_every_quantizer.test_encode_is_independent_of_the_batch,
    test_every_quantizer.test_decode_is_independent_of_the_batch,
    test_every_quantizer.test_encoding_twice_gives_the_same_bytes,
    test_calibration.test_a_quantizer_that_was_not_fitted_says_so,
    test_calibration.test_fitting_on_few_rows_warns_where_ranges_are_learned,
    test_calibration.test_fitting_again_on_the_same_rows_changes_nothing,
    test_calibration.test_fit_takes_blocks_and_learns_the_same_as_from_the_whole,
    test_calibration.test_fitting_for_another_width_starts_over,
    test_calibration.test_nothing_to_fit_on_is_refused,
    test_every_quantizer.test_identical_and_constant_rows_decode_to_finite_vectors_near_them,
    test_inputs.test_inputs_are_never_modified,
    test_inputs.test_what_comes_out_does_not_share_memory_with_what_goes_in,
    test_inputs.test_a_fitted_quantizer_does_not_see_later_changes_of_its_rows,
    test_inputs.test_codes_of_any_stride_are_taken,
    test_extremes.test_empty_batches_give_empty_results,
    test_search.test_equal_rows_come_in_the_order_of_their_numbers,
    test_search.test_no_hits_are_asked_for_or_there_are_none,
    test_search.test_no_queries_give_no_hits,
    test_saved_state.test_parameters_and_state_round_trip,
    test_saved_state.test_every_field_is_a_parameter_or_learned,
    test_saved_state.test_a_copy_of_the_parameters_is_the_same_kind_not_fitted,
]


@pytest.mark.parametrize("check", CONFORMANCE, ids=lambda f: f.__name__)
def test_the_toy_passes_the_conformance_run(toy, check):
    for variant in toys():
        check(variant)


@pytest.mark.parametrize("k", [1, 3, 35, 70, 75])
def test_the_toy_searches_as_brute_force(toy, k):
    for variant in toys():
        test_search.test_search_is_the_brute_force_top_k(variant, k)


@pytest.mark.parametrize("subset", test_search.SUBSETS)
def test_the_toy_searches_in_some_rows(toy, subset):
    for variant in toys():
        test_search.test_search_in_some_rows_is_the_brute_force_top_k_of_them(variant, subset)


@pytest.mark.parametrize("bad", test_search.BAD_ROWS)
def test_the_toy_refuses_bad_rows(toy, bad):
    for variant in toys():
        test_search.test_rows_that_are_no_ascending_row_numbers_are_refused(variant, bad)


@pytest.mark.parametrize("what", test_inputs.WRONG)
def test_the_toy_refuses_what_is_no_matrix(toy, what):
    for variant in toys():
        test_inputs.test_what_is_no_matrix_of_floats_of_the_right_width_is_refused(variant, what)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_the_toy_scores_in_units_of_the_metric(toy, metric):
    x, q = sample(300, 16), sample(4, 16, seed=1)
    quantizer = toy(metric=metric).fit(x)
    far = quantizer.decode(quantizer.encode(x)).astype(np.float64)
    expected = q.astype(np.float64) @ far.T
    if metric == "cosine":
        expected /= np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(far, axis=1)
    if metric == "l2":
        expected = -((q[:, None].astype(np.float64) - far) ** 2).sum(axis=2)
    assert np.allclose(quantizer.score(q, quantizer.encode(x)), expected, rtol=1e-6)


def test_distances_of_close_vectors_far_from_the_origin_do_not_cancel(toy):
    rng = np.random.default_rng(1)
    near = (1e6 + rng.integers(0, 8, (300, 16)) / 8).astype(np.float32)
    quantizer = toy(metric="l2").fit(near)
    codes = quantizer.encode(near)
    far = quantizer.decode(codes).astype(np.float64)
    expected = -((near[:3, None].astype(np.float64) - far) ** 2).sum(axis=2)
    assert np.allclose(quantizer.score(near[:3], codes), expected, rtol=1e-6)


@pytest.mark.parametrize("rescore", [None, "float16", "tenths"])
def test_the_toy_lives_in_an_index_on_disk_too(toy, tmp_path, rescore):
    x, q = sample(300, 16), sample(4, 16, seed=1)
    index = Index("tenths", metric="ip", rescore=rescore).add(
        x, ids=[f"row {i}" for i in range(300)]
    )
    index.delete(["row 7", "row 8"])
    hits = index.search(q, 10, filter=[f"row {i}" for i in range(0, 300, 2)])
    index.save(tmp_path / "toy")
    again = Index.open(tmp_path / "toy")
    found = again.search(q, 10, filter=[f"row {i}" for i in range(0, 300, 2)])
    assert same_bits(found.scores, hits.scores)
    assert found.ids.tolist() == hits.ids.tolist()
    assert again.info()["quantizer"] == "tenths"
    json.dumps(again.info(), allow_nan=False)


def test_an_index_of_an_unknown_kind_is_refused_by_name(registry, tmp_path):
    toy = toy_kind()
    Index(toy()).add(sample(300, 16)).save(tmp_path / "toy")
    del registry["tenths"]
    with pytest.raises(FormatError, match="tenths"):
        Index.open(tmp_path / "toy")
    with pytest.raises(InputError, match="tenths"):
        Index("tenths")


def test_encode_that_breaks_its_contract_is_caught(toy, monkeypatch):
    quantizer = toy().fit(sample(300, 16))
    for wrong in (np.zeros((3, 15), np.uint8), np.zeros((2, 16), np.uint8), np.zeros((3, 16), int)):
        monkeypatch.setattr(toy, "_encode", lambda self, x, threads, wrong=wrong: wrong)
        with pytest.raises(TypeError, match="broke its contract"):
            quantizer.encode(sample(3, 16))


def test_the_toy_needed_no_edit_elsewhere():
    source = pathlib.Path(inspect.getfile(Quantizer)).parents[1]
    assert not [p for p in source.rglob("*.py") if "tenths" in p.read_text().lower()]
