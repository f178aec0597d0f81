"""How fast an encoder is here: throughput, the wait for one text, load time and memory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewbits.arrays import as_count
from fewbits.errors import InputError
from fewbits.models import Encoder

_SHORT_TOKENS = 20


@dataclass(frozen=True)
class EncoderSpeed:
    """What `measure_speed` found; medians over the rounds, times in seconds, sizes in bytes.

    Attributes:
        texts: number of texts of a round.
        tokens: their tokens, special tokens included, after the cut at `max_length`.
        threads: threads used.
        texts_per_second: whole `encode` calls, tokenization included.
        tokens_per_second: the same in tokens.
        short_tokens: tokens of the short text that the waits are about.
        p50: median wait for that one text.
        p95: 95th percentile of it.
        load_seconds: reading the model folder.
        resident_bytes: growth of the resident set from before the load to after the rounds, or
            None where the system does not tell.
    """

    texts: int
    tokens: int
    threads: int | None
    texts_per_second: float
    tokens_per_second: float
    short_tokens: int
    p50: float
    p95: float
    load_seconds: float
    resident_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return dataclasses.asdict(self)


def measure_speed(
    load: Callable[[], Encoder],
    texts: Sequence[str],
    *,
    threads: int | None = None,
    rounds: int = 5,
    waits: int = 200,
    advance: Callable[[int, int], None] | None = None,
) -> EncoderSpeed:
    """Load an encoder and time it on `texts`.

    Args:
        load: returns the encoder; timed.
        texts: at least one text; the longest of at most 20 tokens, or else the shortest text,
            is the one whose wait is measured.
        threads: threads for `Encoder.encode`, None for all CPUs.
        rounds: times that all texts are encoded, after one round that does not count.
        waits: times that the short text is encoded.
        advance: called with (rounds done, all).

    Raises:
        InputError: no text, a bare string, or a number below 1.
    """
    if isinstance(texts, str) or not len(texts):
        got = "a bare string" if isinstance(texts, str) else "none"
        raise InputError(f"texts must hold at least one text, got {got}")
    rounds = as_count(rounds, "rounds", least=1)
    waits = as_count(waits, "waits", least=1)
    before = resident_bytes()
    start = time.perf_counter()
    encoder = load()
    loaded = time.perf_counter() - start
    items = list(texts)
    lengths = [len(ids) for ids in encoder.tokenizer.encode(items).ids]
    seconds = []
    for done in range(rounds + 1):
        start = time.perf_counter()
        encoder.encode(items, threads=threads)
        seconds.append(time.perf_counter() - start)
        if advance:
            advance(done, rounds)
    median = float(np.median(seconds[1:]))
    short = _short(lengths)
    spans = [_wait(encoder, items[short], threads) for _ in range(waits)]
    after = resident_bytes()
    return EncoderSpeed(
        texts=len(items),
        tokens=sum(lengths),
        threads=threads,
        texts_per_second=len(items) / median,
        tokens_per_second=sum(lengths) / median,
        short_tokens=lengths[short],
        p50=float(np.median(spans)),
        p95=float(np.quantile(spans, 0.95)),
        load_seconds=loaded,
        resident_bytes=None if before is None or after is None else after - before,
    )


def resident_bytes() -> int | None:
    """Return this process's resident set, or None where /proc does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:")]
    return sizes[0] if sizes else None


def _short(lengths: list[int]) -> int:
    """Return the longest text of at most 20 tokens, or the shortest text."""
    order = np.argsort(lengths, kind="stable")
    fitting = [int(row) for row in order if lengths[row] <= _SHORT_TOKENS]
    return fitting[-1] if fitting else int(order[0])


def _wait(encoder: Encoder, text: str, threads: int | None) -> float:
    start = time.perf_counter()
    encoder.encode(text, threads=threads)
    return time.perf_counter() - start
