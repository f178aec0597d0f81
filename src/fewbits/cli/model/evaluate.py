"""`fewbits model evaluate`: what a small model keeps of the original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.model.options import DEFAULT, ModelName, Original, Texts, first_texts, load
from fewbits.cli.options import AsJson, Field, Quiet
from fewbits.cli.progress import bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.models import Encoder

_Pairs = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="PAIRS.tsv",
        help="Sentence pairs with people's scores (sentence1, sentence2, score, split).",
    ),
]
_Split = Annotated[str, typer.Option("--split", help="Split of the pairs to use, or all.")]
_Beir = Annotated[
    Path | None,
    typer.Option(
        "--beir", metavar="FOLDER", help="A folder with corpus.jsonl, queries.jsonl and qrels."
    ),
]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=2, help="Most texts read.")]


def evaluate(
    model: ModelName,
    texts: Texts,
    original: Original = None,
    pairs: _Pairs = None,
    split: _Split = "test",
    beir: _Beir = None,
    limit: _Limit = 2000,
    field: Field = "text",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare a small model with the original: cosine, correlation, retrieval, batches.

    Every figure comes with its 95 % bootstrap interval. The last line says whether a text's vector
    depends on the texts beside it.
    """
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.evaluate import compare_encoders, read_dataset, read_pairs

        candidate = load(model)
        sentences = None if pairs is None else read_pairs(pairs, split=_split(split))
        dataset = None if beir is None else read_dataset(beir)
        chosen = first_texts(texts, limit, field)
        base = load(original) if original else _original_of(candidate)
        with bar("evaluate", quiet=quiet) as advance:
            parts = iter(range(1, 5))
            found = compare_encoders(
                base,
                candidate,
                chosen,
                pairs=sentences,
                dataset=dataset,
                advance=lambda part: advance(next(parts), 4, part),
            )
        document = {"model": model, "original": str(base.source), **found.to_dict()}
        out.result(document, lambda: _view(document))


def _split(split: str) -> str | None:
    return None if split == "all" else split


def _original_of(candidate: Encoder) -> Encoder:
    from fewbits.errors import ModelError
    from fewbits.models.locate import DEFAULT_NAME

    name = candidate.name
    if name in ("", DEFAULT_NAME):
        return load(DEFAULT)
    try:
        found = load(name)
    except ModelError as error:
        raise ModelError(
            f"MODEL was made from {name!r}, which cannot be loaded ({error}); give --original"
        ) from error
    if not _made_from(candidate, found):
        raise ModelError(
            f"MODEL was made from {name!r}, but {found.source} holds other weights; give --original"
        )
    return found


def _made_from(candidate: Encoder, found: Encoder) -> bool:
    """Whether the weight files of `found` are those that `candidate` was made from."""
    from fewbits.models.companions import origin_of
    from fewbits.models.outline import read_outline

    if candidate.origin is None or found.source is None:
        return True
    return origin_of(read_outline(found.source), "").weights == candidate.origin.weights


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts

    cosine = document["cosine"]
    lines: dict[str, object] = {
        "compared": f"{document['texts']:,} texts with {document['original']}",
        "cosine, mean": _interval(cosine, 5),
        "cosine, worst": f"{document['worst_cosine']:.5f}",
    }
    for name, kept in (("Spearman", document["spearman"]), ("nDCG@10", document["ndcg"])):
        if kept is not None:
            lines[f"{name}, {kept['data']}"] = (
                f"{kept['before']:.4f} to {kept['after']:.4f}, "
                f"{100 * kept['kept']['mean']:.2f} % kept "
                f"({100 * kept['kept']['low']:.2f} to {100 * kept['kept']['high']:.2f})"
            )
    gap = document["largest_difference"]
    lines["alone or in a batch"] = (
        "the same to the bit" if gap == 0 else f"coordinates differ by up to {gap:.2g}"
    )
    return [facts(lines)]


def _interval(value: dict[str, float], digits: int) -> str:
    mean, low, high = (f"{value[key]:.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
