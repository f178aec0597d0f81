from __future__ import annotations

import warnings
from threading import Thread

import numpy as np
import pytest

from fewbits.errors import CalibrationWarning
from fewbits.models.drift import Ends, Watch, drift

MILLIONS = 4_000_000
CALIBRATED = {
    "layers.0.qkv": Ends(MILLIONS, 2, 3, 0, 255),
    "layers.0.ffn_out": Ends(MILLIONS, 400, 0, 0, 250),
}


def seen(high, total=MILLIONS):
    return {
        "layers.0.qkv": Ends(total, 0, 2, 0, 255),
        "layers.0.ffn_out": Ends(total, 0, high, 10, 255),
    }


def test_ends_count_codes():
    codes = np.array([[0, 0, 255], [7, 9, 0]], dtype=np.uint8)
    assert Ends.of(codes) == Ends(6, 3, 1, 0, 255)
    assert Ends.of(codes[1:, :2]) == Ends(2, 0, 0, 7, 9)
    assert Ends.of(codes[:0]) == Ends()


def test_ends_of_parts_add_up_to_those_of_the_whole():
    codes = np.random.default_rng(0).integers(0, 256, (50, 30)).astype(np.uint8)
    assert Ends.of(codes[:20]).plus(Ends.of(codes[20:])) == Ends.of(codes)
    assert Ends.of(codes).plus(Ends()) == Ends.of(codes)


def test_a_watch_adds_what_threads_count():
    watch = Watch()
    threads = [
        Thread(target=lambda: [watch.add("a", (10, 1, 2, 3, 4)) for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watch.seen == {"a": Ends(8_000, 800, 1_600, 3, 4)}


def test_a_watch_takes_the_table_of_the_native_executor():
    watch = Watch()
    watch.add_rows(["a", "b"], np.array([[10, 1, 2, 0, 255], [0, 0, 0, 255, 0]]))
    watch.add_rows(["a", "b"], np.array([[10, 0, 0, 5, 9], [0, 0, 0, 255, 0]]))
    assert watch.seen == {"a": Ends(20, 1, 2, 0, 255)}


def test_the_report_names_the_linear_that_clips_most_beyond_calibration():
    report = drift(CALIBRATED, seen(high=4_000))
    assert [layer.name for layer in report.layers] == list(CALIBRATED)
    worst = report.worst
    assert worst.name == "layers.0.ffn_out"
    assert worst.clipped == pytest.approx(1e-3)
    assert worst.clipped_at_calibration == pytest.approx(1e-4)
    assert worst.excess == pytest.approx(9e-4)
    assert worst.used == pytest.approx(245 / 255)
    assert worst.used_at_calibration == pytest.approx(250 / 255)


def test_drift_gives_a_warning_that_names_the_linear():
    report = drift(CALIBRATED, seen(high=40_000))
    with pytest.warns(CalibrationWarning, match=r"layers\.0\.ffn_out: 1\.000%.*0\.010%"):
        assert report.warn_if_drifted()


@pytest.mark.parametrize(
    "counts",
    [seen(high=400), seen(high=4_000), seen(high=0), {}, seen(high=200, total=2_000)],
    ids=["as at calibration", "a little more", "less", "nothing seen", "too few codes to tell"],
)
def test_what_is_no_drift_gives_no_warning(counts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not drift(CALIBRATED, counts).warn_if_drifted()


def test_linears_without_codes_are_left_out():
    assert drift(CALIBRATED, {}).worst is None
    assert len(drift(CALIBRATED, {"layers.0.qkv": Ends(5, 0, 0, 1, 2), "x": Ends()}).layers) == 1
