"""The ONNX graph that peers run: token ids and mask in, vectors of unit length out.

Traced by PyTorch from the sentence-transformers model, pooling and normalization included, and the
same with the operators of a layer fused by ONNX Runtime's own optimizer for BERT. Each is written
once into a folder that engines share.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "sentence_embedding"
_OPSET = 17


def torch_module(model: Path, attention: str) -> Any:  # noqa: ANN401 - torch is not imported here
    """Return a module of (ids, mask) for tracing."""
    import torch
    from sentence_transformers import SentenceTransformer

    class Traced(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = SentenceTransformer(
                str(model),
                device="cpu",
                local_files_only=True,
                model_kwargs={"attn_implementation": attention},
            )

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:  # noqa: ANN401 - as above
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.inner(features)[OUTPUT]

    return Traced().eval()


def example() -> Any:  # noqa: ANN401 - as above
    """Return token ids and a mask with padding, for tracing."""
    import torch

    ids = torch.randint(1000, 20000, (2, 16), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    return ids, mask


def plain_graph(model: Path, shared: Path) -> Path:
    """Return the traced graph, written if it is not there."""
    path = shared / "plain.onnx"
    if not path.exists():
        import torch

        shared.mkdir(parents=True, exist_ok=True)
        axes = {name: {0: "texts", 1: "tokens"} for name in INPUTS} | {OUTPUT: {0: "texts"}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                torch_module(model, "eager"),
                example(),
                str(path),
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
    return path


def fused_graph(model: Path, shared: Path) -> Path:
    """Return the graph with attention, layer norms and GELU as one operator each."""
    path = shared / "fused.onnx"
    if not path.exists():
        from onnxruntime.transformers import optimizer
        from onnxruntime.transformers.fusion_options import FusionOptions

        logging.disable(logging.INFO)
        heads, hidden = _shape(model)
        made: Any = optimizer.optimize_model(
            str(plain_graph(model, shared)),
            model_type="bert",
            num_heads=heads,
            hidden_size=hidden,
            opt_level=0,
            optimization_options=FusionOptions("bert"),
        )
        fused = made.get_fused_operator_statistics()
        if not fused["Attention"]:
            raise RuntimeError(f"the optimizer fused no attention: {fused}")
        made.save_model_to_file(str(path))
    return path


def _shape(model: Path) -> tuple[int, int]:
    config = json.loads((model / "config.json").read_text())
    return config["num_attention_heads"], config["hidden_size"]
