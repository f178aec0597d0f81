"""OpenVINO: float32, bfloat16 (its default where the CPU has it) and INT8 by NNCF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.encoders import graphs
from benchmarks.encoders.engine import (
    Engine,
    Entry,
    Floats,
    Kind,
    Setting,
    model_files,
)
from benchmarks.encoders.padded import BATCHES, Padded, PaddedEngine, named, padded, tokenizer_of

_HINTS = ("LATENCY", "THROUGHPUT")
_SOURCES = ("traced", "onnx")


class OpenVino(PaddedEngine):
    """A compiled model. With the hint THROUGHPUT, batches run side by side, one thread each."""

    def __init__(
        self, setting: Setting, write: Callable[[Setting, list[str]], None], precision: str
    ) -> None:
        super().__init__(setting)
        self.write = write
        self.precision = precision
        self.compiled: Any = None
        self.queue: Any = None
        self.inputs: list[str] = []

    def build(self, calibration: list[str]) -> None:
        self.setting.folder.mkdir(parents=True, exist_ok=True)
        self.write(self.setting, calibration)

    def load(self) -> None:
        import openvino

        hint = self.setting.choice.get("hint", "LATENCY")
        properties: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": self.setting.threads,
            "PERFORMANCE_HINT": hint,
        }
        if self.precision:
            properties["INFERENCE_PRECISION_HINT"] = self.precision
        self.compiled = openvino.Core().compile_model(str(self._path()), "CPU", properties)
        self.inputs = [each.get_any_name() for each in self.compiled.inputs]
        if hint == "THROUGHPUT":
            self.queue = openvino.AsyncInferQueue(self.compiled)
        self.load_tokenizer()

    def run(self, batches: list[Padded]) -> list[Floats]:
        if self.queue is None or len(batches) == 1:
            return [self.compiled(named(batch, self.inputs))[0] for batch in batches]
        found: list[Floats] = [np.empty((0, 0), dtype=np.float32)] * len(batches)

        def keep(request: Any, place: int) -> None:  # noqa: ANN401 - openvino has no types
            found[place] = request.get_output_tensor().data.copy()

        self.queue.set_callback(keep)
        for place, batch in enumerate(batches):
            self.queue.start_async(named(batch, self.inputs), place)
        self.queue.wait_all()
        return found

    def files(self) -> list[Path]:
        path = self._path()
        return [path, path.with_suffix(".bin"), *model_files(self.setting.model, weights=False)]

    def _path(self) -> Path:
        return self.setting.folder / f"{self.setting.choice.get('source', 'traced')}.xml"


def _models(setting: Setting) -> dict[str, Any]:
    """Return the float32 model as OpenVINO reads it from PyTorch and from ONNX."""
    import openvino

    traced = openvino.convert_model(
        graphs.torch_module(setting.model, "sdpa"),
        example_input=graphs.example(),
        input=[("input_ids", [-1, -1], np.int64), ("attention_mask", [-1, -1], np.int64)],
    )
    onnx = openvino.convert_model(str(graphs.plain_graph(setting.model, setting.shared)))
    return {"traced": traced, "onnx": onnx}


def _plain(*, small: bool) -> Callable[[Setting, list[str]], None]:
    def write(setting: Setting, calibration: list[str]) -> None:
        import openvino

        del calibration
        for name, model in _models(setting).items():
            openvino.save_model(model, setting.folder / f"{name}.xml", compress_to_fp16=small)

    return write


def _nncf(setting: Setting, calibration: list[str]) -> None:
    """Quantize as its documentation advises: transformer, defaults for all else."""
    import nncf
    import openvino

    ids = [each.ids for each in tokenizer_of(setting.model).encode_batch(calibration)]
    for name, model in _models(setting).items():
        data = nncf.Dataset([list(padded([each])) for each in ids])
        small = nncf.quantize(
            model, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(ids)
        )
        openvino.save_model(small, setting.folder / f"{name}.xml", compress_to_fp16=False)


def _exported(setting: Setting, calibration: list[str]) -> None:
    """Read the graph with static ranges that fewbits exports."""
    import openvino
    from benchmarks.encoders.engines.ours import exported

    model = openvino.convert_model(str(exported(setting, "int8-static", calibration)))
    small = openvino.Model([model.output(graphs.OUTPUT)], model.get_parameters())
    openvino.save_model(small, setting.folder / "model.xml", compress_to_fp16=False)


def _entry(
    name: str,
    kind: Kind,
    write: Callable[[Setting, list[str]], None],
    precision: str,
    sources: tuple[str, ...] = _SOURCES,
) -> Entry:
    def make(setting: Setting) -> Engine:
        return OpenVino(setting, write, precision)

    return Entry(
        f"openvino {name}",
        "openvino",
        kind,
        make,
        {"source": sources, "hint": _HINTS, "batch": BATCHES},
        {"hint": "LATENCY"},
    )


ENTRIES = [
    _entry("float32", "float32", _plain(small=False), "f32"),
    _entry("bfloat16", "16 bits", _plain(small=True), "bf16"),
    _entry("NNCF INT8", "int8 static", _nncf, ""),
    _entry("fewbits export static INT8", "int8 static", _exported, "", ("model",)),
]
