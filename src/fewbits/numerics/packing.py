"""Dense layouts for codes of 8, 4, 2 and 1 bit, and for base-3 digits.

At every width the first code takes the most significant bits: at 1 bit the layout is that of
`np.packbits`, at 4 bits code 0 is the high nibble. Pad bits are zero.

Base 3 holds five digits t0..t4 in a byte (1.6 bits each; log2 3 = 1.585). With
v = 81 t0 + 27 t1 + 9 t2 + 3 t3 + t4 (0..242) the byte is ceil(256 v / 243), a fixed-point fraction
whose base-3 digits come out without a division: digit k = (((byte * 3^k) mod 256) * 3) >> 8.
This is the layout idea of ggml's TQ1_0. Pad digits are 1, which stands for the ternary value 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.arrays import Bytes, as_count
from fewbits.errors import InputError

_WIDTHS = (1, 2, 4, 8)
_TRITS = 5  # per byte: 3**5 = 243 <= 256
_PLACES = np.array([81, 27, 9, 3, 1], dtype=np.uint16)
_TO_BYTE = ((np.arange(243) * 256 + 242) // 243).astype(np.uint8)
_DIGITS = (((np.arange(256)[:, None] * 3 ** np.arange(_TRITS)) % 256 * 3) >> 8).astype(np.uint8)
_IS_CODE = np.isin(np.arange(256), _TO_BYTE)


def packed_size(d: int, bits: int) -> int:
    """Return the bytes that d codes of `bits` bits take: ceil(d * bits / 8)."""
    return (as_count(d, "d", least=1) * _as_width(bits) + 7) // 8


def trits_size(d: int) -> int:
    """Return the bytes that d base-3 digits take: ceil(d / 5)."""
    return -(-as_count(d, "d", least=1) // _TRITS)


def pack(codes: NDArray[Any], bits: int) -> Bytes:
    """Return uint8 (n, ceil(d * bits / 8)), the first code in the most significant bits.

    Args:
        codes: (n, d) integers (or booleans) in 0..2^bits-1.
        bits: 8, 4, 2 or 1.

    Raises:
        InputError: not a matrix of such integers.
    """
    width = _as_width(bits)
    plain = _as_digits(codes, 2**width, "codes")
    if width == 8:
        return plain.copy() if plain is codes else plain
    if width == 1:
        return np.packbits(plain, axis=1)
    slots = _pad(plain, 8 // width, 0)
    packed = np.zeros(slots.shape[:2], dtype=np.uint8)
    for slot in range(slots.shape[2]):
        packed |= slots[:, :, slot] << np.uint8(8 - width * (slot + 1))
    return packed


def unpack(packed: NDArray[Any], bits: int, d: int, *, strict: bool = True) -> Bytes:
    """Return the codes, uint8 (n, d), that `pack` laid out.

    Args:
        packed: uint8 (n, packed_size(d, bits)).
        bits: 8, 4, 2 or 1.
        d: codes per row.
        strict: also refuse pad bits that are not zero; False for bytes already checked.

    Raises:
        InputError: wrong dtype, shape or (strict) pad bits.
    """
    width = _as_width(bits)
    matrix = _as_bytes(packed, packed_size(d, bits), f"{d} codes of {bits} bits")
    pad = matrix.shape[1] * 8 - d * width
    if strict and pad and np.any(matrix[:, -1] & np.uint8(2**pad - 1)):
        raise InputError(f"packed must end in {pad} zero pad bits per row; it is damaged")
    if width == 8:
        return matrix.copy()
    if width == 1:
        return np.unpackbits(matrix, axis=1, count=d)
    slots = np.empty((*matrix.shape, 8 // width), dtype=np.uint8)
    for slot in range(slots.shape[2]):
        slots[:, :, slot] = matrix >> np.uint8(8 - width * (slot + 1))
    slots &= np.uint8(2**width - 1)
    return np.ascontiguousarray(slots.reshape(len(matrix), matrix.shape[1] * 8 // width)[:, :d])


def pack_trits(digits: NDArray[Any]) -> Bytes:
    """Return uint8 (n, ceil(d / 5)) from base-3 digits (n, d) in 0..2.

    Raises:
        InputError: not a matrix of such integers.
    """
    slots = _pad(_as_digits(digits, 3, "digits"), _TRITS, 1)
    packed: Bytes = _TO_BYTE[slots @ _PLACES]
    return packed


def unpack_trits(packed: NDArray[Any], d: int, *, strict: bool = True) -> Bytes:
    """Return the digits, uint8 (n, d) in 0..2, that `pack_trits` laid out.

    Args:
        packed: uint8 (n, trits_size(d)).
        d: digits per row.
        strict: also refuse the 13 byte values that encode nothing, and pad digits other than 1;
            False for bytes already checked.

    Raises:
        InputError: wrong dtype, shape or (strict) content.
    """
    matrix = _as_bytes(packed, trits_size(d), f"{d} base-3 digits")
    if strict and not _IS_CODE[matrix].all():
        row, column = np.argwhere(~_IS_CODE[matrix])[0]
        raise InputError(
            f"packed[{row}, {column}] = {matrix[row, column]} encodes no five base-3 digits; "
            "it is damaged"
        )
    digits = _DIGITS[matrix].reshape(len(matrix), matrix.shape[1] * _TRITS)
    if strict and np.any(digits[:, d:] != 1):
        raise InputError(f"packed must end in {digits.shape[1] - d} pad digits 1; it is damaged")
    return np.ascontiguousarray(digits[:, :d])


def _as_width(bits: int) -> int:
    if isinstance(bits, bool) or bits not in _WIDTHS:
        raise InputError(f"bits must be 8, 4, 2 or 1, got {bits!r}")
    return int(bits)


def _as_digits(codes: NDArray[Any], limit: int, name: str) -> Bytes:
    matrix = np.asarray(codes)
    if matrix.ndim != 2 or not matrix.shape[1] or matrix.dtype.kind not in "iub":
        raise InputError(
            f"{name} must be integers of shape (n, d), d >= 1, "
            f"got {matrix.dtype} of shape {matrix.shape}"
        )
    if matrix.size and not (matrix.min() >= 0 and matrix.max() < limit):
        raise InputError(f"{name} must lie in 0..{limit - 1}, got {matrix.min()} to {matrix.max()}")
    return matrix.astype(np.uint8, copy=False)


def _as_bytes(packed: NDArray[Any], size: int, what: str) -> Bytes:
    matrix = np.asarray(packed)
    if matrix.ndim != 2 or matrix.dtype != np.uint8 or matrix.shape[1] != size:
        raise InputError(
            f"packed must be uint8 (n, {size}) for {what}, "
            f"got {matrix.dtype} of shape {matrix.shape}"
        )
    return matrix


def _pad(codes: Bytes, per_byte: int, filler: int) -> Bytes:
    """Return codes as (n, bytes, per_byte), the last byte filled up."""
    n, d = codes.shape
    pad = -d % per_byte
    if pad:
        codes = np.pad(codes, ((0, 0), (0, pad)), constant_values=filler)
    return codes.reshape(n, (d + pad) // per_byte, per_byte)
