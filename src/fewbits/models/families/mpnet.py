"""MPNet (Song et al. 2020): absolute positions plus a relative bias shared by all layers.

The bias uses the bidirectional buckets of T5 (Raffel et al. 2020): half of them per direction, of
these half exact and half logarithmic up to 128 tokens apart.
"""

from __future__ import annotations

from fewbits.errors import ModelError
from fewbits.models.config import Config
from fewbits.models.family import Family, register
from fewbits.models.spec import EncoderSpec, Positions

_LAYER = "encoder.layer.{i}."
_ATTENTION = f"{_LAYER}attention.attn."
_PAD_ID = 1  # fixed in the architecture, whatever pad_token_id says
_BUCKETS = 32  # likewise: the published forward pass always counts in 32 buckets


def _spec(config: Config) -> EncoderSpec:
    buckets = config.integer("relative_attention_num_buckets", _BUCKETS)
    if buckets != _BUCKETS:
        raise ModelError(
            f"{config.path}: relative_attention_num_buckets must be {_BUCKETS}, got {buckets}"
        )
    positions = Positions(
        config.integer("max_position_embeddings"), offset=_PAD_ID + 1, buckets=buckets
    )
    return EncoderSpec(
        family="mpnet",
        vocab_size=config.integer("vocab_size"),
        hidden_size=config.integer("hidden_size"),
        layers=config.integer("num_hidden_layers"),
        heads=config.integer("num_attention_heads"),
        intermediate_size=config.integer("intermediate_size"),
        activation=config.text("hidden_act", "gelu"),
        norm_eps=config.number("layer_norm_eps", 1e-12),
        positions=positions,
        max_length=positions.capacity,
    )


register(
    Family(
        name="mpnet",
        model_types=("mpnet",),
        prefix="mpnet.",
        modules={
            "embeddings.word": ("embeddings.word_embeddings",),
            "embeddings.position": ("embeddings.position_embeddings",),
            "embeddings.norm": ("embeddings.LayerNorm",),
            "attention.relative_bias": ("encoder.relative_attention_bias",),
            "layers.{i}.qkv": (f"{_ATTENTION}q", f"{_ATTENTION}k", f"{_ATTENTION}v"),
            "layers.{i}.attention_out": (f"{_ATTENTION}o",),
            "layers.{i}.attention_norm": (f"{_LAYER}attention.LayerNorm",),
            "layers.{i}.ffn_in": (f"{_LAYER}intermediate.dense",),
            "layers.{i}.ffn_out": (f"{_LAYER}output.dense",),
            "layers.{i}.ffn_norm": (f"{_LAYER}output.LayerNorm",),
        },
        spec=_spec,
    )
)
