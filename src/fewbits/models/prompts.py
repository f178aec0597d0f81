"""Prompts: what a model wants to read before a text, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fewbits.errors import InputError, ModelError
from fewbits.models.config import Config


@dataclass(frozen=True)
class Prompts:
    """Named prompts, and the name of the one used when the caller asks for none."""

    by_name: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None

    def resolve(self, name: str | None, prompt: str | None) -> str:
        """Return the text to put before every input.

        `prompt` wins over `name`, `name` over the default; `prompt=""` switches the default off.

        Raises:
            InputError: an unknown name, or an argument that is not a string.
        """
        if prompt is not None:
            if not isinstance(prompt, str):
                raise InputError(f"prompt must be a str or None, got {type(prompt).__name__}")
            return prompt
        name = self.default if name is None else name
        if name is None:
            return ""
        if name not in self.by_name:
            known = ", ".join(map(repr, self.by_name)) or "none"
            raise InputError(f"prompt_name must be one of the model's ({known}), got {name!r}")
        return self.by_name[name]


def read_prompts(folder: Path) -> Prompts:
    """Read the prompts of config_sentence_transformers.json, where that file exists.

    Raises:
        ModelError: prompts that are not text, or a default without a prompt of its name.
    """
    config = Config.read_optional(folder / "config_sentence_transformers.json")
    prompts = config.raw("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        isinstance(text, (str, type(None))) for text in prompts.values()
    ):
        raise ModelError(f"{config.path}: 'prompts' must map names to texts, got {prompts!r:.80}")
    default = config.raw("default_prompt_name")
    if default is not None and default not in prompts:
        raise ModelError(f"{config.path}: 'default_prompt_name' {default!r} is not in 'prompts'")
    return Prompts({name: text or "" for name, text in prompts.items()}, default)
