"""The one gate for arrays: dtype, number of dimensions, contiguity, finiteness, limits.

Every public function that takes vectors passes them through `as_matrix` or `as_queries`; what lies
behind the gate may rely on C-contiguous, native-endian, finite float32 of known width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.errors import InputError

Floats: TypeAlias = NDArray[np.float32]
Bytes: TypeAlias = NDArray[np.uint8]

MAX_DIM = 65_535  # keeps every integer dot product below 2**31 and bit counts below 2**16
MAX_ABS = np.float32(1e15)  # squares of larger values overflow float32 sums
BLOCK_BYTES = 8 << 20  # float32 bytes handled at a time when a caller's array is walked

# Rows whose extrema are taken together stay in the L2 cache, so the second pass is nearly free.
_CHECK_BYTES = 256 << 10


def as_matrix(
    x: ArrayLike, name: str = "x", *, dims: int | None = None, first_row: int = 0
) -> Floats:
    """Return `x` as a C-contiguous, finite float32 array of shape (n, d).

    float16, float32, float64 (and bfloat16 where ml_dtypes is present) of any byte order and
    strides are accepted and converted once; the input is never modified.

    Args:
        x: array-like of shape (n, d), n >= 0, 1 <= d <= 65,535.
        name: what error messages call the argument.
        dims: the expected d, or None for any.
        first_row: what error messages add to row numbers, where x is a part of the caller's array.

    Raises:
        InputError: wrong type, number of dimensions or width; NaN, infinity or |x| > 1e15.
    """
    raw = _as_float_array(x, name)
    if raw.ndim != 2:
        hint = f"; use {name}[None, :] for one vector" if raw.ndim == 1 else ""
        raise InputError(f"{name} must be 2-D (n, d), got {raw.ndim}-D {raw.shape}{hint}")
    _check_width(raw.shape[1], name, dims)
    out = _to_float32(raw)
    _check_finite(out, name, first_row)
    return out


def as_queries(q: ArrayLike, *, dims: int | None = None, name: str = "q") -> tuple[Floats, bool]:
    """Return queries as (nq, d) and whether the caller gave a single 1-D query."""
    raw = _as_float_array(q, name)
    if raw.ndim == 1:
        return as_matrix(raw[None, :], name, dims=dims), True
    if raw.ndim != 2:
        raise InputError(f"{name} must be (d,) or (nq, d), got {raw.ndim}-D {raw.shape}")
    return as_matrix(raw, name, dims=dims), False


def as_count(value: int, name: str, *, least: int = 0) -> int:
    """Return `value` as an int >= `least`.

    Raises:
        InputError: not an integer (bool included), or too small.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} must be an integer, got {type(value).__name__} {value!r}")
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
    return int(value)


def blocks(x: ArrayLike | Iterable[ArrayLike], name: str = "x") -> Iterator[Floats]:
    """Walk vectors in gated blocks, holding O(block) memory.

    An array (memory-mapped ones included) is cut into row blocks of about 8 MiB; any other
    iterable is taken as an iterable of 2-D blocks.
    """
    if hasattr(x, "__array__") or isinstance(x, (list, tuple)):
        yield from _array_blocks(x, name)
        return
    if not isinstance(x, Iterable):
        raise InputError(
            f"{name} must be an array or an iterable of 2-D blocks, got {type(x).__name__}"
        )
    dims = None
    for number, block in enumerate(x):
        matrix = as_matrix(block, f"{name} block {number}", dims=dims)
        dims = matrix.shape[1]
        yield matrix


def _array_blocks(x: Any, name: str) -> Iterator[Floats]:  # noqa: ANN401 - any array-like
    raw = _as_float_array(x, name)
    if raw.ndim != 2:
        as_matrix(raw, name)  # raises with the full message
    rows = max(1, BLOCK_BYTES // (4 * max(1, raw.shape[1])))
    if len(raw) == 0:
        yield as_matrix(raw, name)
    for start in range(0, len(raw), rows):
        yield as_matrix(raw[start : start + rows], name, first_row=start)


def _as_float_array(x: Any, name: str) -> NDArray[Any]:  # noqa: ANN401 - any array-like
    if hasattr(x, "mask") and np.any(x.mask):
        raise InputError(f"{name} has masked values; fill or drop them first")
    try:
        raw = np.asarray(x)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} must be an array of floats, numpy refused it: {error}") from error
    if raw.dtype.kind == "f" or raw.dtype.name == "bfloat16":
        return raw
    if raw.size == 0 and isinstance(x, (list, tuple)):
        return raw.astype(np.float32)
    raise InputError(
        f"{name} must hold floats (float16, float32 or float64), got {raw.dtype}; "
        f"convert with {name}.astype(np.float32) if that is what the numbers mean"
    )


def _to_float32(raw: NDArray[Any]) -> Floats:
    if raw.dtype == np.float32:
        return np.ascontiguousarray(raw, dtype=np.float32)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf and is refused below
        out = np.ascontiguousarray(raw.astype(np.float32))
    return out


def _check_width(width: int, name: str, dims: int | None) -> None:
    if not 1 <= width <= MAX_DIM:
        raise InputError(f"{name} must have 1 to {MAX_DIM} columns, got {width}")
    if dims is not None and width != dims:
        raise InputError(f"{name} must have {dims} columns, got {width}")


def _check_finite(x: Floats, name: str, first_row: int) -> None:
    rows = max(1, _CHECK_BYTES // (4 * x.shape[1]))
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        # NaN spreads through max and min, and every comparison with NaN is false.
        if not (block.max() <= MAX_ABS and block.min() >= -MAX_ABS):
            _refuse(block, first_row + start, name)


def _refuse(block: Floats, start: int, name: str) -> None:
    row, column = np.argwhere(~(np.abs(block) <= MAX_ABS))[0]
    value = block[row, column]
    where = f"{name}[{start + row}, {column}]"
    if np.isnan(value):
        raise InputError(f"{where} is nan; drop or fill such rows first")
    if np.isinf(value):
        raise InputError(f"{where} is {value}; drop or fill such rows first")
    raise InputError(f"{where} is {value:g}; values beyond +-1e15 overflow, rescale the data first")
