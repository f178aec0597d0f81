"""The texts of a run, drawn from a data folder, cut and tokenized once for all engines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from benchmarks.encoders.padded import tokenizer_of
from benchmarks.encoders.texts import Texts

from fewbits.errors import InputError
from fewbits.evaluate.pairs import read_pairs
from fewbits.evaluate.textlines import read_objects

LONGEST = 128  # tokens of a passage at most, special tokens included
SHORT = 20  # tokens of a short text at most
_SHORTS = 32
_STRIDE = 97  # passages lie in the order of their articles; neighbours are alike


def gather(data: Path, model: Path, count: int, calibration: int = 512) -> Texts:
    """Return passages and short texts, cut by the model's tokenizer.

    Args:
        data: a folder with wiki-passages-2018/corpus.jsonl.gz and stsb-en/pairs.tsv.
        model: the checkpoint, for its tokenizer.
        count: passages to measure.
        calibration: passages to calibrate with.
    """
    drawn = _drawn(data / "wiki-passages-2018", count, calibration)
    tokenizer = tokenizer_of(model)
    tokenizer.enable_truncation(LONGEST)
    found = tokenizer.encode_batch(drawn)
    cut = [
        text[: max(end for _, end in each.offsets)] for text, each in zip(drawn, found, strict=True)
    ]
    ids = [each.ids for each in tokenizer.encode_batch(cut[:count])]
    lefts = read_pairs(data / "stsb-en").left
    shorts = [
        (text, each.ids)
        for text, each in zip(lefts, tokenizer.encode_batch(lefts), strict=True)
        if SHORT - 6 <= len(each.ids) <= SHORT
    ][:_SHORTS]
    texts, short_ids = [text for text, _ in shorts], [each for _, each in shorts]
    return Texts(cut[:count], ids, texts, short_ids, cut[count:])


def compared(data: Path, count: int = 2000) -> list[str]:
    """Return texts of three kinds for the cosine: half passages, the others titles and sentences.

    None of them is among those of `gather`.
    """
    quarter = count // 4
    passages = islice(_corpus(data / "wiki-passages-2018"), 1, None, _STRIDE)
    titles = islice(_corpus(data / "arxiv-titles"), 0, None, _STRIDE)
    sentences = dict.fromkeys(read_pairs(data / "stsb-en", split="dev").left)
    return [
        *islice(passages, count - 2 * quarter),
        *islice(titles, quarter),
        *islice(sentences, quarter),
    ]


def _drawn(folder: Path, count: int, calibration: int) -> list[str]:
    """Return passages from all over a corpus; those to calibrate with stand last."""
    found = list(islice(_corpus(folder), 0, None, _STRIDE))
    if len(found) < count + calibration:
        raise InputError(f"{folder} gives {len(found)} passages, {count + calibration} are needed")
    order = np.random.default_rng(0).permutation(len(found))
    return [found[row] for row in (*order[:count], *order[len(order) - calibration :])]


def _corpus(folder: Path) -> Iterator[str]:
    for _, record in read_objects(folder / "corpus.jsonl.gz"):
        yield record["text"]
