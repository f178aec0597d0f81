"""ONNX Runtime: float32, its own dynamic and static INT8, and the graphs that fewbits exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders import graphs
from benchmarks.encoders.engine import Engine, Entry, Floats, Kind, Setting, model_files
from benchmarks.encoders.padded import BATCHES, Padded, PaddedEngine, named, padded, tokenizer_of

_GRAPHS = ("fused", "plain")
_CALIBRATION_BATCH = 8  # its calibration keeps what a batch computes


class OnnxRuntime(PaddedEngine):
    """An `InferenceSession` of the graph that a writer made."""

    def __init__(self, setting: Setting, write: Callable[[Setting, list[str]], None]) -> None:
        super().__init__(setting)
        self.write = write
        self.session: Any = None
        self.inputs: list[str] = []

    def build(self, calibration: list[str]) -> None:
        self.setting.folder.mkdir(parents=True, exist_ok=True)
        self.write(self.setting, calibration)

    def load(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.setting.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            str(self._path()), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.load_tokenizer()

    def run(self, batches: list[Padded]) -> list[Floats]:
        return [
            self.session.run([graphs.OUTPUT], named(batch, self.inputs))[0] for batch in batches
        ]

    def files(self) -> list[Path]:
        parts = [self._path(), *self._path().parent.glob(f"{self._path().name}?data")]
        return [*parts, *model_files(self.setting.model, weights=False)]

    def _path(self) -> Path:
        return self.setting.folder / f"{self.setting.choice.get('graph', 'model')}.onnx"


def _graphs(setting: Setting) -> dict[str, Path]:
    makers = {"fused": graphs.fused_graph, "plain": graphs.plain_graph}
    return {name: make(setting.model, setting.shared) for name, make in makers.items()}


def _float32(setting: Setting, calibration: list[str]) -> None:
    del calibration
    for name, path in _graphs(setting).items():
        (setting.folder / f"{name}.onnx").write_bytes(path.read_bytes())


def _dynamic(setting: Setting, calibration: list[str]) -> None:
    """Quantize as its documentation advises for transformers: QOperator, per channel."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    del calibration
    for name, path in _graphs(setting).items():
        out = setting.folder / f"{name}.onnx"
        quantize_dynamic(
            path,
            out,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Shape inference does not know what fused operators give.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )


def _static(setting: Setting, calibration: list[str]) -> None:
    """Quantize with ranges of the least and the greatest value: QDQ, per channel."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    batches = _batches(setting, calibration)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Padded] = iter(batches)

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.left, None)
            return None if batch is None else dict(zip(graphs.INPUTS, batch, strict=True))

    prepared = setting.folder / "prepared.onnx"
    quant_pre_process(str(_graphs(setting)["plain"]), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(setting.folder / "model.onnx"),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=["MatMul", "Gather"],
        extra_options={"MatMulConstBOnly": True},
    )


def _batches(setting: Setting, texts: list[str]) -> list[Padded]:
    ids = [each.ids for each in tokenizer_of(setting.model).encode_batch(texts)]
    ids.sort(key=len)
    step = _CALIBRATION_BATCH
    return [padded(ids[start : start + step]) for start in range(0, len(ids), step)]


def _exported(variant: str) -> Callable[[Setting, list[str]], None]:
    """Return a writer of the graph that fewbits exports, whose answers no neighbour changes."""

    def write(setting: Setting, calibration: list[str]) -> None:
        from benchmarks.encoders.engines.ours import exported

        exported(setting, variant, calibration)

    return write


def _entry(
    name: str,
    kind: Kind,
    write: Callable[[Setting, list[str]], None],
    shapes: tuple[str, ...] = _GRAPHS,
) -> Entry:
    def make(setting: Setting) -> Engine:
        return OnnxRuntime(setting, write)

    return Entry(
        f"onnxruntime {name}",
        "onnxruntime",
        kind,
        make,
        {"graph": shapes, "batch": BATCHES},
    )


ENTRIES = [
    _entry("float32", "float32", _float32),
    _entry("dynamic INT8", "int8 dynamic", _dynamic),
    _entry("static INT8", "int8 static", _static, ("model",)),
    _entry("fewbits export float32", "float32", _exported("float32"), ("model",)),
    _entry("fewbits export dynamic INT8", "int8 dynamic", _exported("int8-dynamic"), ("model",)),
    _entry("fewbits export static INT8", "int8 static", _exported("int8-static"), ("model",)),
]
