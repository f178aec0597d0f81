"""Code rows as bytes: what is stored for each column, and how it is read back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes
from fewbits.vectors.trellis.paths import Ints
from fewbits.vectors.trellis.plan import TrellisPlan
from fewbits.vectors.trellis.tables import REVERSED, VALUES, WINDOW_BITS


def pack(codes: Ints, plan: TrellisPlan) -> Bytes:
    """Return payload bytes (n, sum of widths).

    `codes` (n, m) holds windows of the trellis columns and numbers of the uniform ones.
    """
    bits = plan.bits
    parts: list[NDArray[Any]] = [
        _from_bits([_symbols(codes[:, j], int(bits[j])) for j in np.flatnonzero(bits <= 4)], codes),
        _from_bits([_little(codes[:, j], 6) for j in np.flatnonzero(bits == 6)], codes),
        codes[:, bits == 8],
        codes[:, bits == 12] >> 4,
        _from_bits([_little(codes[:, j] & 15, 4) for j in plan.low_columns], codes),
    ]
    return np.hstack([part.astype(np.uint8) for part in parts])


def unpack(rows: Bytes, plan: TrellisPlan) -> NDArray[np.int64]:
    """Return stored values U (n, m + m12), 0 to 255: the columns, then the low nibbles."""
    widths = plan.widths.astype(np.int64)
    end = [int(widths[widths <= w].sum()) for w in (4, 6, 8)]
    high = end[2] + 8 * int((widths == 12).sum())
    stream, six = _to_bits(rows[:, : end[0]]), _to_bits(rows[:, end[0] : end[1]])
    low = _to_bits(rows[:, high : int(widths.sum())])
    return np.hstack(
        [
            _trellis_values(stream, plan.bits[plan.bits <= 4]),
            2 * _numbers(six, 6) + 65,
            rows[:, end[1] : high].astype(np.int64),
            _numbers(low, 4),
        ]
    )


def _trellis_values(stream: NDArray[np.uint8], bits: Ints) -> Ints:
    history = np.zeros((len(stream), WINDOW_BITS), dtype=np.uint8)
    padded = np.hstack([history, stream])
    ends = np.cumsum(bits)
    out = np.empty((len(stream), len(bits)), dtype=np.int64)
    for j, end in enumerate(ends):
        window = _numbers(padded[:, end : end + WINDOW_BITS], WINDOW_BITS)[:, 0]
        out[:, j] = VALUES[int(bits[j])].astype(np.int64)[REVERSED[window]] + 128
    return out


def _symbols(window: Ints, bits: int) -> NDArray[np.uint8]:
    """The newest bits of windows, most significant first."""
    places = np.arange(bits - 1, -1, -1)
    return ((window[:, None] >> places) & 1).astype(np.uint8)


def _little(numbers: Ints, bits: int) -> NDArray[np.uint8]:
    return ((numbers[:, None] >> np.arange(bits)) & 1).astype(np.uint8)


def _from_bits(parts: list[NDArray[np.uint8]], like: Ints) -> Bytes:
    if not parts:
        return np.empty((len(like), 0), dtype=np.uint8)
    return np.packbits(np.hstack(parts), axis=1, bitorder="little")


def _to_bits(rows: Bytes) -> NDArray[np.uint8]:
    return np.unpackbits(rows, axis=1, bitorder="little")


def _numbers(bits: NDArray[np.uint8], width: int) -> Ints:
    """Little-endian numbers of `width` bits."""
    fields = bits.reshape(len(bits), bits.shape[1] // width, width).astype(np.int64)
    return np.asarray((fields << np.arange(width)).sum(axis=2))
