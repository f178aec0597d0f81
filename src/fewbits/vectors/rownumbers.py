"""The gate for row numbers that point into a matrix of code rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits.errors import InputError


def as_row_numbers(rows: ArrayLike, ndim: int, n: int) -> NDArray[np.int64]:
    """Gate for row numbers below n: int64, C-contiguous, of `ndim` dimensions."""
    given = np.asarray(rows)
    if given.size == 0 and given.ndim == ndim:
        return np.empty(given.shape, dtype=np.int64)
    if given.dtype.kind not in "iu" or given.ndim != ndim:
        raise InputError(f"rows must be {ndim}-D integers, got {given.dtype} {given.shape}")
    if int(given.max()) >= n:
        raise InputError(f"rows must be below {n}, the number of code rows, got {given.max()}")
    return np.ascontiguousarray(given, dtype=np.int64)


def as_candidates(rows: ArrayLike, n: int) -> NDArray[np.int64]:
    """Gate for candidates: ascending row numbers from 0 to n - 1."""
    numbers = as_row_numbers(rows, 1, n)
    if len(numbers) and (numbers[0] < 0 or not np.all(numbers[1:] > numbers[:-1])):
        raise InputError("rows must be ascending row numbers from 0 on, each at most once")
    return numbers
