"""`fewbits search`: the best rows of an index for texts or vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.choices import check_probes, probes_in
from fewbits.cli.options import AsJson, Field, Model, PromptName, Quiet, Threads
from fewbits.cli.progress import bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from fewbits.vectors import Index

_Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="An index folder.")]
_Text = Annotated[
    list[str] | None, typer.Option("--text", metavar="TEXT", help="A query; may be repeated.")
]
_Texts = Annotated[
    str | None,
    typer.Option("--texts", metavar="FILE", help="Queries: a .txt or .jsonl file, or - for stdin."),
]
_Vectors = Annotated[
    Path | None, typer.Option("--vectors", metavar="Q.npy", help="Query vectors (nq, d).")
]
_K = Annotated[int, typer.Option("-k", metavar="N", min=1, help="Hits per query.")]
_Oversample = Annotated[
    float | None,
    typer.Option(
        "--oversample",
        metavar="FACTOR",
        min=1,
        show_default="as many as may win, or 4",
        help="Candidates per hit that are scored again from the second copy.",
    ),
]
_Nprobe = Annotated[
    str,
    typer.Option(
        "--nprobe",
        metavar="N",
        callback=check_probes,
        help="Clusters to look into: a number, auto for as many as --recall needs, or all.",
    ),
]
_Recall = Annotated[
    float,
    typer.Option(
        "--recall", metavar="SHARE", min=0.5, max=1.0, help="Of the best rows, for --nprobe auto."
    ),
]
_Filter = Annotated[
    Path | None,
    typer.Option("--filter-ids", metavar="FILE", help="Only these ids may be found."),
]
_Show = Annotated[
    str | None,
    typer.Option("--show", metavar="FILE", help="The texts that were embedded, to quote hits."),
]


def search(
    index: _Folder,
    text: _Text = None,
    texts: _Texts = None,
    vectors: _Vectors = None,
    k: _K = 10,
    model: Model = None,
    prompt_name: PromptName = None,
    oversample: _Oversample = None,
    nprobe: _Nprobe = "auto",
    recall: _Recall = 0.95,
    filter_ids: _Filter = None,
    show: _Show = None,
    field: Field = "text",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search an index. Give one of --text, --texts and --vectors."""
    if sum(given is not None and given != [] for given in (text, texts, vectors)) != 1:
        raise typer.BadParameter("give exactly one of --text, --texts and --vectors")
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.vectors import Index

        opened = Index.open(index)
        allowed = None if filter_ids is None else _allowed(opened, filter_ids)
        if vectors is not None:
            labels, q = _rows(vectors)
        else:
            labels = list(text or []) or _queries(texts or "", field)
            q = _encode(labels, model, prompt_name, quiet)
        hits = opened.search(
            q,
            k,
            filter=allowed,
            oversample=oversample,
            nprobe=probes_in(nprobe),
            recall=recall,
            threads=threads,
        )
        quotes = {} if show is None else _quotes(show, field, hits.ids)
        found = [
            {"query": label, "hits": _hits(scores, ids, quotes)}
            for label, scores, ids in zip(labels, hits.scores, hits.ids, strict=True)
        ]
        document = {"index": str(index), "k": k, "metric": opened.info()["metric"]}
        out.result({**document, "queries": found}, lambda: _view(found, show is not None))


def _allowed(index: Index, path: Path) -> list[Any]:
    from fewbits.cli.idfiles import as_kind, read_ids

    return as_kind(read_ids(path), next(iter(index), ""))


def _rows(path: Path) -> tuple[list[Any], NDArray[Any]]:
    from fewbits.evaluate import read_vectors

    q = read_vectors(path)
    return list(range(len(q))), q


def _queries(source: str, field: str) -> list[Any]:
    from fewbits.cli.texts import read_texts, text_file

    with text_file(source) as path:
        return [text for _, text in read_texts(path, field)]


def _encode(texts: list[Any], model: Path | None, prompt: str | None, quiet: bool) -> NDArray[Any]:
    from fewbits.models import Encoder

    encoder = Encoder.load(model)
    with bar("embed", quiet=quiet) as advance:
        return encoder.encode(texts, prompt_name=prompt, progress=advance)


def _quotes(source: str, field: str, ids: NDArray[Any]) -> dict[str, str]:
    """Return the text of every id found; texts without ids go by their row number."""
    from fewbits.cli.texts import read_texts, text_file

    wanted = {str(value) for value in ids.ravel().tolist()}
    with text_file(source) as path:
        items = (
            (str(row) if name is None else name, text)
            for row, (name, text) in enumerate(read_texts(path, field))
        )
        return {name: text for name, text in items if name in wanted}


def _hits(scores: NDArray[Any], ids: NDArray[Any], quotes: dict[str, str]) -> list[dict[str, Any]]:
    pairs = zip(scores.tolist(), ids.tolist(), strict=True)
    hits = [{"rank": i, "score": score, "id": name} for i, (score, name) in enumerate(pairs, 1)]
    for hit in hits:
        if str(hit["id"]) in quotes:
            hit["text"] = quotes[str(hit["id"])]
    return hits


def _view(found: Sequence[dict[str, Any]], quoted: bool) -> list[RenderableType]:
    from rich.text import Text

    from fewbits.cli.views import opening, table

    parts: list[RenderableType] = []
    for query in found:
        rows = [
            (hit["rank"], f"{hit['score']:.4f}", hit["id"])
            + ((opening(hit.get("text", "")),) if quoted else ())
            for hit in query["hits"]
        ]
        heads = ["rank", "score", "id"] + (["text"] if quoted else [])
        if len(found) > 1:
            parts.append(Text(f"query {opening(str(query['query']))}", style="bold"))
        parts.append(table(heads, rows, left=(2, 3)))
    return parts
