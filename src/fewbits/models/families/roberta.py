"""RoBERTa and XLM-R (Liu et al. 2019, Conneau et al. 2020).

Positions count from `pad_token_id + 1`, the row before belongs to the padding token.
"""

from __future__ import annotations

from fewbits.errors import ModelError
from fewbits.models.config import Config
from fewbits.models.family import Family, register
from fewbits.models.spec import EncoderSpec, Positions

_LAYER = "encoder.layer.{i}."
_SELF = f"{_LAYER}attention.self."


def _spec(config: Config) -> EncoderSpec:
    scheme = config.text("position_embedding_type", "absolute")
    if scheme != "absolute":
        raise ModelError(
            f"{config.path}: position_embedding_type must be 'absolute' for roberta, got {scheme!r}"
        )
    positions = Positions(
        config.integer("max_position_embeddings"),
        offset=config.integer("pad_token_id", 1, least=0) + 1,
    )
    return EncoderSpec(
        family="roberta",
        vocab_size=config.integer("vocab_size"),
        hidden_size=config.integer("hidden_size"),
        layers=config.integer("num_hidden_layers"),
        heads=config.integer("num_attention_heads"),
        intermediate_size=config.integer("intermediate_size"),
        activation=config.text("hidden_act", "gelu"),
        norm_eps=config.number("layer_norm_eps", 1e-12),
        positions=positions,
        max_length=positions.capacity,
        token_types=config.integer("type_vocab_size", 2, least=0),
    )


register(
    Family(
        name="roberta",
        model_types=("roberta", "xlm-roberta", "camembert"),
        prefix="roberta.",
        modules={
            "embeddings.word": ("embeddings.word_embeddings",),
            "embeddings.position": ("embeddings.position_embeddings",),
            "embeddings.token_type": ("embeddings.token_type_embeddings",),
            "embeddings.norm": ("embeddings.LayerNorm",),
            "layers.{i}.qkv": (f"{_SELF}query", f"{_SELF}key", f"{_SELF}value"),
            "layers.{i}.attention_out": (f"{_LAYER}attention.output.dense",),
            "layers.{i}.attention_norm": (f"{_LAYER}attention.output.LayerNorm",),
            "layers.{i}.ffn_in": (f"{_LAYER}intermediate.dense",),
            "layers.{i}.ffn_out": (f"{_LAYER}output.dense",),
            "layers.{i}.ffn_norm": (f"{_LAYER}output.LayerNorm",),
        },
        spec=_spec,
    )
)
