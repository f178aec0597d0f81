"""An encoder as one ONNX file: tokens in, sentence vectors or their codes out.

The graph is built from the encoder's spec and numbers with standard operators alone, so that it
runs wherever ONNX does; pooling, dense stages and normalization are part of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from onnx import TensorProto

import fewbits
from fewbits.errors import InputError, ModelError
from fewbits.models.encoder import Encoder
from fewbits.models.onnx.body import Inputs, token_vectors
from fewbits.models.onnx.coded import Coded
from fewbits.models.onnx.graph import Graph
from fewbits.models.onnx.numbers import Numbers, Wide
from fewbits.models.onnx.output import Output, append_codes, check_output
from fewbits.models.onnx.stages import needs_prompt_length, sentence_vector
from fewbits.models.onnx.write import write_model
from fewbits.models.spec import EncoderSpec
from fewbits.models.tensors import Tensors

Variant: TypeAlias = Literal["float32", "float16", "int8-static", "int8-dynamic"]

_FILES: Mapping[str, str] = {
    "float32": "model.onnx",
    "float16": "model_fp16.onnx",
    "int8-static": "model_qint8_static.onnx",
    "int8-dynamic": "model_qint8_dynamic.onnx",
}
_OPSETS = range(17, 24)  # 17 brought LayerNormalization; what runtimes of 2025 read ends at 23


def export_onnx(
    encoder: Encoder,
    folder_or_file: str | os.PathLike[str],
    *,
    variant: Variant = "float32",
    output: Output = "float32",
    output_scale: ArrayLike | None = None,
    output_mean: ArrayLike | None = None,
    opset: int = 17,
) -> Path:
    """Write `encoder` as an ONNX model and return the file's path.

    Inputs, int64 (batch, sequence), both dimensions free, padding on the right: `input_ids`,
    `attention_mask` and, where the model tells token types apart, `token_type_ids`; a model whose
    pooling leaves out the prompt also takes `prompt_length`, int64 (1,), in tokens.
    Outputs: `token_embeddings` float32 (batch, sequence, hidden), `sentence_embedding` float32
    (batch, dims) and, on request, `sentence_codes`.

    A text's result does not depend on padding or on its neighbours, in any variant.

    Args:
        encoder: for the int8 variants one that `quantize_model` made.
        folder_or_file: a path that ends in .onnx, or a model folder, where the file becomes
            onnx/model.onnx, model_fp16.onnx, model_qint8_static.onnx or model_qint8_dynamic.onnx.
        variant: "float32"; "float16": weights and arithmetic in float16, from the first norm to
            the last, for GPUs (CPUs widen it again); "int8-static": 8-bit activations with
            calibrated ranges, as QuantizeLinear and DequantizeLinear, which OpenVINO and NPUs take;
            "int8-dynamic": a range per token row, in plain operators.
        output: "int8" adds `sentence_codes` int8 (batch, dims), clip(round((x - mean) / scale),
            -127, 127); "bits" adds uint8 (batch, ceil(dims / 8)), x > mean packed as
            `numpy.packbits` does.
        output_scale: for "int8", one number or one per dimension.
        output_mean: for "int8" and "bits", likewise; 0 by default.
        opset: version of the standard operators, 17 to 23. Newer ones have fewer, larger nodes,
            older ones are read by more runtimes.

    Raises:
        InputError: an unknown variant or opset, output arguments that do not belong together.
        ModelError: an int8 variant of an encoder whose recipe is another one.
        StorageError: the file could not be written; what was there is unchanged.
    """
    scale, mean = check_output(output, output_scale, output_mean, encoder.spec.dims)
    if variant not in _FILES:
        raise InputError(f"variant must be one of {', '.join(_FILES)}, got {variant!r}")
    if opset not in _OPSETS:
        raise InputError(f"opset must be {_OPSETS[0]} to {_OPSETS[-1]}, got {opset}")
    graph = Graph(opset)
    inside, after = _numbers(encoder.tensors, variant)
    sentence = _append_encoder(graph, encoder.spec, inside, after)
    append_codes(graph, sentence, encoder.spec.dims, output, scale, mean)
    path = _path(folder_or_file, variant)
    write_model(graph, path, _facts(encoder, variant, opset, output))
    return path


def _append_encoder(graph: Graph, spec: EncoderSpec, inside: Numbers, after: Numbers) -> str:
    text = ("batch", "sequence")
    inputs = Inputs(
        graph.input("input_ids", TensorProto.INT64, text),
        graph.input("attention_mask", TensorProto.INT64, text),
        graph.input("token_type_ids", TensorProto.INT64, text) if spec.token_types > 1 else None,
    )
    prompt = None
    if needs_prompt_length(spec):
        prompt = graph.input("prompt_length", TensorProto.INT64, (1,))
    tokens = token_vectors(graph, spec, inside, inputs)
    if inside.dtype is not np.float32:
        tokens = graph.cast("token_embeddings", tokens, TensorProto.FLOAT)
    graph.output(tokens, "token_embeddings", TensorProto.FLOAT, (*text, spec.hidden_size))
    sentence = sentence_vector(graph, spec, after, tokens, inputs.mask, prompt)
    graph.output(sentence, "sentence_embedding", TensorProto.FLOAT, ("batch", spec.dims))
    return sentence


def _numbers(tensors: Tensors, variant: Variant) -> tuple[Numbers, Numbers]:
    """Return the numbers of the transformer and those of the stages behind it."""
    if variant in ("float32", "float16"):
        weights = tensors.dense()
        after = Wide(weights, np.float32)
        return (after if variant == "float32" else Wide(weights, np.float16)), after
    mode = variant.removeprefix("int8-")
    modes = {linear.activation.mode for linear in tensors.linears.values()} - {"float32"}
    if modes != {mode}:
        raise ModelError(
            f"variant={variant!r} needs an encoder whose 8-bit activations are all {mode}, got one "
            f"of recipe {tensors.recipe.name!r} with {', '.join(sorted(modes)) or 'none'}; "
            f"make one with quantize_model(encoder, Recipe.int8({mode!r}), ...)"
        )
    coded = Coded(tensors)
    return coded, coded


def _path(folder_or_file: str | os.PathLike[str], variant: Variant) -> Path:
    path = Path(folder_or_file)
    return path if path.suffix == ".onnx" else path / "onnx" / _FILES[variant]


def _facts(encoder: Encoder, variant: Variant, opset: int, output: Output) -> dict[str, str]:
    recipe = encoder.tensors.recipe.to_dict()
    return {
        "fewbits.version": fewbits.__version__,
        "fewbits.family": encoder.spec.family,
        "fewbits.variant": variant,
        "fewbits.recipe": str(recipe["name"]),
        "fewbits.recipe_rows": json.dumps(recipe["rows"]),
        "fewbits.output": output,
        "fewbits.max_length": str(encoder.spec.max_length),
        "fewbits.minimum_opset": str(opset),
    }
