"""Quantized tiny models on disk: made once per session, copied where a test damages them."""

from __future__ import annotations

import json

from fewbits.models import Recipe
from fewbits.storage import canonical, header

TEXTS = [
    "A zero row scores zero.",
    "",
    "Quantization maps many numbers to few, and the few to fewer bits.",
    "naïve café 日本語",
    "We measure the cascading failure of scale-free networks under load. " * 8,
]
CALIBRATION = [f"{text} {i}" for i in range(14) for text in TEXTS]

MIXED = (
    Recipe.int8()
    .with_row("layers.1.ffn_out", weights="float16")
    .with_row("layers.0.qkv", weights="bfloat16")
    .with_row("embeddings.position", weights="float32")
)
RECIPES = {
    "float32": Recipe.float32(),
    "fp16": Recipe.fp16(),
    "bf16": Recipe.bf16(),
    "int8-dynamic": Recipe.int8(),
    "int8-static": Recipe.int8("static"),
    "int8-weights": Recipe.int8("float32"),
    "mixed": MIXED,
}


def edit_about(folder, change):
    """Change fewbits.json as somebody would who also knows how to compute its checksum."""
    path = folder / "fewbits.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    del body["checksum"]
    change(body)
    body["checksum"] = header.crc([canonical.dumps(body)])
    path.write_text(json.dumps(body), encoding="utf-8")
