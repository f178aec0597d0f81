import numpy as np
from numpy.typing import NDArray

class Form:
    def __init__(
        self,
        *,
        packing: int,
        metric: int,
        step_rule: int,
        d: int,
        gain: int,
        planes: int,
        correct: bool,
        hamming: bool,
        alpha: bool,
        beta: bool,
        nu: bool,
        low: float,
        high: float,
        high_c: float,
        rms_factor: float,
        mean: NDArray[np.float32],
        step: NDArray[np.float32],
        zero: NDArray[np.float32],
    ) -> None: ...
    @property
    def code_size(self) -> int: ...

def levels() -> list[str]: ...
def level() -> str: ...
def set_level(level: str) -> None: ...
def search(
    form: Form,
    codes: NDArray[np.uint8],
    q: NDArray[np.float32],
    rows: NDArray[np.int64] | None,
    k: int,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
def score_all(
    form: Form, codes: NDArray[np.uint8], q: NDArray[np.float32], threads: int
) -> NDArray[np.float32]: ...
def score_rows(
    form: Form,
    codes: NDArray[np.uint8],
    q: NDArray[np.float32],
    rows: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float32]: ...
def encode(form: Form, x: NDArray[np.float32], threads: int) -> NDArray[np.uint8]: ...
