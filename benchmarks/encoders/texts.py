"""The texts that engines encode, as plain data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Texts:
    """What engines encode.

    Attributes:
        passages: texts of the throughput.
        passage_ids: their token ids, special tokens included.
        shorts: texts of the single waits.
        short_ids: their token ids.
        calibration: passages that static ranges are learned from; none of them is measured.
    """

    passages: list[str]
    passage_ids: list[list[int]]
    shorts: list[str]
    short_ids: list[list[int]]
    calibration: list[str]

    @property
    def tokens(self) -> int:
        """Tokens of all passages."""
        return sum(len(ids) for ids in self.passage_ids)

    def save(self, path: Path) -> None:
        """Write the texts as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(path: Path) -> Texts:
        """Return what `save` wrote."""
        return Texts(**json.loads(path.read_text()))
