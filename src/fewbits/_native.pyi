import numpy as np
from numpy.typing import NDArray

class Layout:
    def __init__(
        self, packing: int, d: int, gain: int, alpha: bool, beta: bool, nu: bool, hamming: bool
    ) -> None: ...
    @property
    def code_size(self) -> int: ...

class Queries:
    def __init__(
        self,
        layout: Layout,
        plane: NDArray[np.int8],
        dense: NDArray[np.float32],
        weight: NDArray[np.float32],
        base: NDArray[np.int32],
        t: NDArray[np.float32],
        gamma: NDArray[np.float32],
    ) -> None: ...

def levels() -> list[str]: ...
def level() -> str: ...
def set_level(level: str) -> None: ...
def search(
    layout: Layout,
    codes: NDArray[np.uint8],
    queries: Queries,
    rows: NDArray[np.int64] | None,
    k: int,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
def score_all(
    layout: Layout, codes: NDArray[np.uint8], queries: Queries, threads: int
) -> NDArray[np.float32]: ...
def score_rows(
    layout: Layout,
    codes: NDArray[np.uint8],
    queries: Queries,
    rows: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float32]: ...
def encode(
    layout: Layout,
    x: NDArray[np.float32],
    step_rule: int,
    normalise: bool,
    correct: bool,
    low: float,
    high: float,
    high_c: float,
    rms_factor: float,
    mean: NDArray[np.float32],
    step: NDArray[np.float32],
    zero: NDArray[np.float32],
    threads: int,
) -> NDArray[np.uint8]: ...
