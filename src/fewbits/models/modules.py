"""The parts of a model folder: which module does what, in the sentence-transformers layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fewbits.errors import ModelError
from fewbits.models.config import Config, read_json
from fewbits.models.spec import Dense, Normalize, Pooling, Stage

# File entry -> pooling mode, in the order in which sentence-transformers concatenates them.
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_DENSE_ACTIVATIONS = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
}


@dataclass(frozen=True)
class Parts:
    """Where a model folder keeps what.

    Attributes:
        transformer: folder of config.json, tokenizer.json and the weights.
        stages: what follows the transformer, in order.
        dense: one folder per dense stage, in order.
        modules: the folders of all stages, in order.
    """

    transformer: Path
    stages: tuple[Stage, ...]
    dense: tuple[Path, ...] = ()
    modules: tuple[Path, ...] = ()


def read_parts(folder: Path) -> Parts:
    """Read modules.json, or take a folder without it as a bare transformer with mean pooling.

    Raises:
        ModelError: a missing file, a module of an unsupported type or in an unsupported place.
    """
    if not (folder / "modules.json").exists():
        if (folder / "config_sentence_transformers.json").exists():
            raise ModelError(
                f"{folder / 'modules.json'} is missing, and config_sentence_transformers.json says "
                "that there was one; without it pooling and normalisation are unknown"
            )
        return Parts(folder, (Pooling(),))
    entries = _entries(folder)
    (kind, transformer), *rest = entries
    if kind != "Transformer" or any(name == "Transformer" for name, _ in rest):
        raise ModelError(
            f"{folder / 'modules.json'}: one Transformer must come first, "
            f"got {', '.join(name for name, _ in entries)}"
        )
    stages = tuple(_STAGES[name](path) for name, path in rest)
    dense = tuple(path for name, path in rest if name == "Dense")
    return Parts(transformer, stages, dense, tuple(path for _, path in rest))


def _entries(folder: Path) -> list[tuple[str, Path]]:
    path = folder / "modules.json"
    values = read_json(path)
    if not isinstance(values, list) or not values or not all(isinstance(v, dict) for v in values):
        raise ModelError(f"{path} must hold a list of modules, got {values!r:.80}")
    return [_entry(folder, Config(value, path)) for value in values]


def _entry(folder: Path, module: Config) -> tuple[str, Path]:
    full = module.text("type")
    package, _, name = full.rpartition(".")
    supported = ("Transformer", *_STAGES)
    if package.split(".")[0] != "sentence_transformers" or name not in supported:
        raise ModelError(
            f"{module.path}: module type {full!r} is not supported; "
            f"supported: {', '.join(supported)} of sentence_transformers"
        )
    path = folder / module.text("path", "")
    # A model folder is self-contained: what it names lies inside it.
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{module.path}: 'path' must stay inside the model folder, got {path}")
    return name, path


def _pooling(path: Path) -> Pooling:
    config = Config.read(path / "config.json")
    modes = config.raw("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in _POOLING_FLAGS.items() if config.flag(flag, False)]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list):
        raise ModelError(f"{config.path}: 'pooling_mode' must be a name or a list, got {modes!r}")
    include_prompt = config.flag("include_prompt", True)
    return Pooling(tuple(modes) or ("mean",), include_prompt)


def _dense(path: Path) -> Dense:
    config = Config.read(path / "config.json")
    _refuse_rerouting(config)
    if config.flag("use_residual", False):
        raise ModelError(f"{config.path}: 'use_residual' must be false, residuals are unsupported")
    full = config.text("activation_function", "torch.nn.modules.activation.Tanh")
    activation = _DENSE_ACTIVATIONS.get(full.rpartition(".")[2])
    if activation is None:
        raise ModelError(
            f"{config.path}: activation_function {full!r} is not supported; "
            f"supported: {', '.join(_DENSE_ACTIVATIONS)} of torch.nn"
        )
    return Dense(
        config.integer("in_features"),
        config.integer("out_features"),
        config.flag("bias", True),
        activation,
    )


def _normalize(path: Path) -> Normalize:
    _refuse_rerouting(Config.read_optional(path / "config.json"))
    return Normalize()


def _refuse_rerouting(config: Config) -> None:
    for name in ("module_input_name", "module_output_name"):
        value = config.text(name, "sentence_embedding")
        if value != "sentence_embedding":
            raise ModelError(f"{config.path}: {name!r} must be 'sentence_embedding', got {value!r}")


_STAGES: dict[str, Callable[[Path], Stage]] = {
    "Pooling": _pooling,
    "Dense": _dense,
    "Normalize": _normalize,
}
