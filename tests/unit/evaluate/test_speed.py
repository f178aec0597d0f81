"""What a timing says of itself; the clock is replaced, so that nothing depends on the machine."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest

from fewbits.errors import InputError
from fewbits.evaluate import measure_speed, speed
from fewbits.models import Encoder

TINY = Path(__file__).parents[2] / "data" / "models" / "bert"
TEXTS = ["a zero row scores zero", "", "load network " * 40, "vector of a free network " * 3]


class Clock:
    """Stands for `time`: every look at it is one second later."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(speed, "time", Clock())


@pytest.fixture(scope="module")
def encoder():
    return Encoder.load(TINY)


def test_every_figure_follows_from_the_clock(clock, encoder):
    got = measure_speed(lambda: encoder, TEXTS, threads=2, rounds=3, waits=4)
    lengths = [len(ids) for ids in encoder.tokenizer.encode(TEXTS).ids]
    assert (got.texts, got.tokens, got.threads) == (4, sum(lengths), 2)
    assert max(lengths) == encoder.max_length  # tokens are those after the cut
    assert got.texts_per_second == 4
    assert got.tokens_per_second == sum(lengths)
    assert (got.p50, got.p95, got.load_seconds) == (1, 1, 1)
    assert got.short_tokens == max(length for length in lengths if length <= 20)


def test_the_document_holds_numbers_alone(encoder):
    got = measure_speed(lambda: encoder, TEXTS, rounds=1, waits=2).to_dict()
    assert list(got) == [
        "texts",
        "tokens",
        "threads",
        "texts_per_second",
        "tokens_per_second",
        "short_tokens",
        "p50",
        "p95",
        "load_seconds",
        "resident_bytes",
    ]
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    assert got["threads"] is None
    assert 0 < got["p50"] <= got["p95"]
    assert min(got["texts_per_second"], got["tokens_per_second"], got["load_seconds"]) > 0


class Counting:
    """An encoder that notes what it was asked."""

    def __init__(self, encoder):
        self.tokenizer, self.calls = encoder.tokenizer, []

    def encode(self, texts, threads=None):
        self.calls.append((texts, threads))


def test_one_round_does_not_count_and_waits_are_for_the_short_text(clock, encoder):
    seen, told = Counting(encoder), []
    measure_speed(
        lambda: seen, TEXTS, threads=3, rounds=2, waits=5, advance=lambda *a: told.append(a)
    )
    assert seen.calls == [(TEXTS, 3)] * 3 + [(TEXTS[0], 3)] * 5
    assert told == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("lengths", "row"),
    [([5, 20, 21], 1), ([30, 25, 40], 1), ([3, 9, 9], 2), ([20], 0), ([21], 0), ([2, 2], 1)],
)
def test_the_short_text_is_the_longest_of_twenty_tokens_or_the_shortest(lengths, row):
    assert speed._short(lengths) == row


def test_the_resident_set_is_in_bytes_where_the_system_tells(monkeypatch, encoder):
    before = speed.resident_bytes()
    if before is None:
        pytest.skip("no /proc here")
    assert before > 1 << 20
    with mmap.mmap(-1, 1 << 24) as held:  # fresh pages; an allocator may reuse old ones
        held.write(b"x" * (1 << 24))
        assert speed.resident_bytes() - before > 1 << 23
    monkeypatch.setattr(speed, "Path", lambda name: Path("/nowhere"))
    assert measure_speed(lambda: encoder, TEXTS[:1], rounds=1, waits=1).resident_bytes is None


@pytest.mark.parametrize(
    ("texts", "choices", "message"),
    [
        ([], {}, "texts must hold at least one text, got none"),
        ("a text", {}, "texts must hold at least one text, got a bare string"),
        (["a"], {"rounds": 0}, "rounds must be at least 1"),
        (["a"], {"waits": 0}, "waits must be at least 1"),
        (["a"], {"waits": 2.5}, "waits must be an integer"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_the_load(texts, choices, message):
    def load():
        raise AssertionError("loaded")

    with pytest.raises(InputError, match=message):
        measure_speed(load, texts, **choices)


def test_threads_below_one_are_refused(encoder):
    with pytest.raises(InputError, match="threads must be at least 1"):
        measure_speed(lambda: encoder, ["a"], threads=0)
