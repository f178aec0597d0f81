"""DistilBERT (Sanh et al. 2019): BERT without token types, under its own names."""

from __future__ import annotations

from fewbits.models.config import Config
from fewbits.models.family import Family, register
from fewbits.models.spec import EncoderSpec, Positions

_LAYER = "transformer.layer.{i}."
_ATTENTION = f"{_LAYER}attention."


def _spec(config: Config) -> EncoderSpec:
    positions = Positions(config.integer("max_position_embeddings"))
    return EncoderSpec(
        family="distilbert",
        vocab_size=config.integer("vocab_size"),
        hidden_size=config.integer("dim"),
        layers=config.integer("n_layers"),
        heads=config.integer("n_heads"),
        intermediate_size=config.integer("hidden_dim"),
        activation=config.text("activation", "gelu"),
        norm_eps=1e-12,  # fixed in the architecture
        positions=positions,
        max_length=positions.capacity,
    )


register(
    Family(
        name="distilbert",
        model_types=("distilbert",),
        prefix="distilbert.",
        modules={
            "embeddings.word": ("embeddings.word_embeddings",),
            "embeddings.position": ("embeddings.position_embeddings",),
            "embeddings.norm": ("embeddings.LayerNorm",),
            "layers.{i}.qkv": (f"{_ATTENTION}q_lin", f"{_ATTENTION}k_lin", f"{_ATTENTION}v_lin"),
            "layers.{i}.attention_out": (f"{_ATTENTION}out_lin",),
            "layers.{i}.attention_norm": (f"{_LAYER}sa_layer_norm",),
            "layers.{i}.ffn_in": (f"{_LAYER}ffn.lin1",),
            "layers.{i}.ffn_out": (f"{_LAYER}ffn.lin2",),
            "layers.{i}.ffn_norm": (f"{_LAYER}output_layer_norm",),
        },
        spec=_spec,
    )
)
