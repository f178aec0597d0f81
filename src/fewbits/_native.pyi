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

class TrellisPlan:
    def __init__(
        self,
        *,
        d: int,
        metric: int,
        basis: NDArray[np.int16],
        sigma: NDArray[np.float32],
        widths: NDArray[np.uint8],
        centroids: NDArray[np.float32],
        mh: NDArray[np.float32],
        id_bytes: int,
        rest_weight: float,
        scalar_bytes: int,
        s_low: float,
        s_step: float,
        b_low: float,
        b_step: float,
        residual_norm: float,
    ) -> None: ...
    @property
    def code_size(self) -> int: ...

def trellis_encode(
    plan: TrellisPlan,
    x: NDArray[np.float32],
    extra: NDArray[np.float64] | None,
    threads: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]: ...
def trellis_assign(
    plan: TrellisPlan, x: NDArray[np.float32], threads: int
) -> NDArray[np.int32]: ...
def trellis_unpack(
    plan: TrellisPlan, codes: NDArray[np.uint8], threads: int
) -> NDArray[np.uint8]: ...
def trellis_search(
    plan: TrellisPlan,
    codes: NDArray[np.uint8],
    q: NDArray[np.float32],
    rows: NDArray[np.int64] | None,
    k: int,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
def trellis_score_all(
    plan: TrellisPlan, codes: NDArray[np.uint8], q: NDArray[np.float32], threads: int
) -> NDArray[np.float32]: ...
def trellis_score_rows(
    plan: TrellisPlan,
    codes: NDArray[np.uint8],
    q: NDArray[np.float32],
    rows: NDArray[np.int64],
    threads: int,
) -> NDArray[np.float32]: ...
def trellis_refine(
    plan: TrellisPlan,
    codes: list[NDArray[np.uint8]],
    starts: NDArray[np.int64],
    q: NDArray[np.float32],
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    reach: NDArray[np.float32],
    offset: NDArray[np.float32],
    k: int,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
def trellis_search_lists(
    plan: TrellisPlan,
    codes: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    alive: NDArray[np.uint8] | None,
    q: NDArray[np.float32],
    k: int,
    probes: int,
    margin: float,
    threads: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int32]]: ...

class EncoderModel:
    def __init__(
        self,
        *,
        hidden: int,
        heads: int,
        inner: int,
        layers: int,
        activation: int,
        position_offset: int,
        pooling: list[int],
    ) -> None: ...
    def set_table(
        self,
        slot: int,
        values: NDArray[np.uint8],
        element: int,
        scale: NDArray[np.float32],
        rows: int,
    ) -> None: ...
    def set_norm(
        self,
        layer: int,
        slot: int,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        eps: float,
    ) -> None: ...
    def set_bias(self, bias: NDArray[np.float32]) -> None: ...
    def set_linear(
        self,
        layer: int,
        slot: int,
        values: NDArray[np.uint8],
        element: int,
        n: int,
        k: int,
        scale: NDArray[np.float32],
        bias: NDArray[np.float32],
        take: int,
        symmetric: bool,
        inverse: NDArray[np.float32],
        fixed_scale: float,
        fixed_zero: int,
    ) -> None: ...
    def run(
        self,
        ids: NDArray[np.int32],
        lengths: NDArray[np.int64],
        skip: int,
        threads: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...
