"""`fewbits evaluate`: what every quantizer keeps and costs on the user's own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.choices import (
    check_quantizers,
    check_widths,
    names_in,
    unless_none,
    with_widths,
)
from fewbits.cli.options import AsJson, Metric, MetricName, Model, Quiet, Rescore, Threads
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.evaluate import Dataset, Results

_Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER",
        help="Texts: corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv).",
    ),
]
_Vectors = Annotated[
    Path | None, typer.Option("--vectors", metavar="X.npy", help="Vectors, instead of a folder.")
]
_Queries = Annotated[
    Path | None, typer.Option("--queries", metavar="Q.npy", help="Queries, to go with --vectors.")
]
_Quantizers = Annotated[
    str | None,
    typer.Option(
        "--quantizers",
        metavar="A,B,...",
        callback=check_quantizers,
        show_default="all",
        help="Which of {quantizers}.",
    ),
]
_Bits = Annotated[
    str | None,
    typer.Option(
        "--bits",
        metavar="B,B,...",
        callback=check_widths,
        help="Bits per dimension to measure the quantizers at that take any number of them.",
    ),
]
_K = Annotated[int, typer.Option("-k", metavar="N", min=1, help="Neighbours per query.")]
_Oversample = Annotated[
    int, typer.Option("--oversample", metavar="N", min=1, help="Candidates per neighbour.")
]
_Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="OUT.html", help="Write a report, one HTML page."),
]
_ResultsFile = Annotated[
    Path | None, typer.Option("--results", metavar="OUT.json", help="Write all figures as JSON.")
]
_Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="Take the first N documents, and of the queries those judged on them.",
    ),
]
_Unjudged = Annotated[
    bool, typer.Option("--unjudged", help="The folder holds no judgements: recall only, no nDCG.")
]


def evaluate(
    folder: _Folder = None,
    vectors: _Vectors = None,
    queries: _Queries = None,
    quantizers: _Quantizers = None,
    bits: _Bits = None,
    metric: Metric = MetricName.cosine,
    k: _K = 10,
    rescore: Rescore = "float16",
    oversample: _Oversample = 4,
    report: _Report = None,
    results: _ResultsFile = None,
    model: Model = None,
    limit: _Limit = None,
    unjudged: _Unjudged = False,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure what quantizers keep and cost.

    On your own texts or vectors, against exact float32 search.
    """
    if (folder is None) == (vectors is None) or (vectors is None) != (queries is None):
        raise typer.BadParameter("give a FOLDER of texts, or both --vectors and --queries")
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.runs import run, write_files

        options: dict[str, Any] = {
            "quantizers": with_widths(names_in(quantizers), bits),
            "metric": metric.value,
            "k": k,
            "rescore": unless_none(rescore),
            "oversample": oversample,
            "threads": threads,
        }
        data = None if folder is None else _texts(folder, limit, judged=not unjudged)
        if data is not None:
            found = run(**_encoded(data, model, quiet), quiet=quiet, **options)
        else:
            assert vectors is not None
            assert queries is not None
            found = run(**_read(vectors, queries, limit), quiet=quiet, **options)
        write_files(found, report, results, data)
        out.result(found.to_dict(), lambda: _view(found, report))


def _texts(folder: Path, limit: int | None, *, judged: bool) -> Dataset:
    from fewbits.cli.limits import first_documents
    from fewbits.evaluate import read_dataset

    data = read_dataset(folder, judged=judged)
    return data if limit is None else first_documents(data, limit)


def _encoded(data: Dataset, model: Path | None, quiet: bool) -> dict[str, Any]:
    from fewbits.cli.runs import encode_texts
    from fewbits.models import Encoder

    encoder = Encoder.load(model)
    x, _ = encode_texts(encoder, data.docs, "embed documents", quiet=quiet)
    q, _ = encode_texts(encoder, data.queries, "embed queries", quiet=quiet)
    ids = {"doc_ids": data.doc_ids, "query_ids": data.query_ids, "qrels": data.qrels or None}
    return {"x": x, "q": q, "name": data.name, **ids}


def _read(vectors: Path, queries: Path, limit: int | None) -> dict[str, Any]:
    from fewbits.evaluate import read_vectors

    return {
        "x": read_vectors(vectors)[:limit],
        "q": read_vectors(queries)[:limit],
        "name": vectors.name,
    }


def _view(results: Results, report: Path | None) -> list[RenderableType]:
    from rich.text import Text

    from fewbits.cli.findings import SPEED_NOTE, results_table, sentences

    lines = [SPEED_NOTE, "", *sentences(results)]
    lines += [f"Report: {report}"] if report is not None else []
    return [results_table(results), *(Text(line) for line in lines)]
