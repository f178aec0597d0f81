from __future__ import annotations

import itertools

import numpy as np
import pytest

from fewbits.vectors.trellis.bitstream import _trellis_values
from fewbits.vectors.trellis.paths import _distance, best_windows
from fewbits.vectors.trellis.tables import COST_SCALE, SCALE, VALUES


def walk(symbols: tuple[int, ...], bits: list[int]) -> list[int]:
    """Return the windows that symbols lead through, from the start state 0."""
    stream, out = 0, []
    for symbol, width in zip(symbols, bits, strict=True):
        stream = (stream << width) | symbol
        out.append(stream & 63)
    return out


def cost(y: np.ndarray, windows: np.ndarray, bits: list[int]) -> int:
    return sum(int(_distance(y[j : j + 1], width)[0, windows[j]]) for j, width in enumerate(bits))


@pytest.mark.parametrize("bits", [[1] * 8, [1, 1, 2, 2], [2, 2, 3], [3, 4], [1, 2, 3, 4]])
def test_no_path_costs_less_than_the_one_found(bits):
    rng = np.random.default_rng(sum(bits))
    units = np.array([COST_SCALE[b] / SCALE[b] for b in bits])
    y = np.rint(rng.standard_normal((20, len(bits))).clip(-2, 2) * units).astype(np.int64)
    found = best_windows(y, np.array(bits))
    for row, windows in zip(y, found, strict=True):
        least = min(
            cost(row, np.array(walk(symbols, bits)), bits)
            for symbols in itertools.product(*[range(1 << b) for b in bits])
        )
        assert cost(row, windows, bits) == least


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_errors_on_normal_data_are_those_of_the_table(width):
    expected = {1: 0.286, 2: 0.0784, 3: 0.0223, 4: 0.0069}[width]
    x = np.random.default_rng(0).standard_normal((60, 256))
    most = np.abs(VALUES[width]).max() * SCALE[width]
    y = np.rint(np.clip(x, -most, most) * (COST_SCALE[width] / SCALE[width])).astype(np.int64)
    windows = best_windows(y, np.full(256, width))
    decoded = VALUES[width].astype(float)[windows] * SCALE[width]
    assert ((x - decoded) ** 2).mean() == pytest.approx(expected, rel=0.06)


def test_stored_bits_read_back_as_the_path():
    bits = np.array([1] * 8 + [2] * 8 + [3] * 8 + [4] * 8)
    y = np.random.default_rng(1).integers(-9000, 9000, (5, 32))
    windows = best_windows(y, bits)
    stream = [
        (windows[:, j : j + 1] >> np.arange(width - 1, -1, -1)) & 1
        for j, width in enumerate(bits.tolist())
    ]
    values = _trellis_values(np.hstack(stream).astype(np.uint8), bits)
    expected = [VALUES[int(w)].astype(int)[windows[:, j]] for j, w in enumerate(bits)]
    assert np.array_equal(values - 128, np.stack(expected, axis=1))
