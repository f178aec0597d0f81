"""`fewbits demo`: the whole way on text that is already on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import AsJson, Model, Quiet
from fewbits.cli.session import session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fewbits.evaluate import Dataset, Results

_Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the report goes.")
]
_Docs = Annotated[int, typer.Option("--docs", metavar="N", min=20, help="How many documents.")]
_Quick = Annotated[
    bool, typer.Option("--quick", help="At most 500 documents and 100 queries: some seconds.")
]

# About 95,000 tokens with the default number of documents: some 30 s on two cores.
_WORDS = 40
_QUERIES = 300
_QUICK_DOCS, _QUICK_QUERIES = 500, 100


def demo(
    output: _Target = Path("fewbits-demo"),
    docs: _Docs = 2000,
    quick: _Quick = False,
    model: Model = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """See what quantization keeps and costs.

    Embeds docstrings of the installed Python packages, quantizes them in every way there is,
    searches, and writes a report. Needs no data and no network.
    """
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.runs import encode_texts, run, write_files
        from fewbits.evaluate import docstring_dataset
        from fewbits.models import Encoder

        encoder = Encoder.load(model)
        output.mkdir(parents=True, exist_ok=True)
        data = docstring_dataset(
            min(docs, _QUICK_DOCS) if quick else docs,
            queries=_QUICK_QUERIES if quick else _QUERIES,
            max_words=_WORDS,
        )
        x, seconds = encode_texts(encoder, data.docs, "embed documents", quiet=quiet)
        q, _ = encode_texts(encoder, data.queries, "embed queries", quiet=quiet)
        results = run(
            x,
            q,
            quiet=quiet,
            qrels=data.qrels,
            doc_ids=data.doc_ids,
            query_ids=data.query_ids,
            name=data.name,
        )
        write_files(results, output / "report.html", output / "results.json", data)
        document = _document(data, results, output, seconds)
        out.result(document, lambda: _view(document, results))


def _document(data: Dataset, results: Results, output: Path, seconds: float) -> dict[str, Any]:
    from fewbits.cli.findings import sentences

    return {
        "documents": len(data.docs),
        "queries": len(data.queries),
        "max_words": _WORDS,
        "dims": results.meta["d"],
        "embed_seconds": seconds,
        "findings": sentences(results),
        "report": str(output / "report.html"),
        "results_file": str(output / "results.json"),
        "results": results.to_dict(),
    }


def _view(document: dict[str, Any], results: Results) -> list[RenderableType]:
    from rich.text import Text

    from fewbits.cli.findings import SPEED_NOTE, results_table

    used = (
        f"{document['documents']:,} docstrings of at most {document['max_words']} words from the "
        f"Python packages on this machine, embedded with {document['dims']} dimensions in "
        f"{document['embed_seconds']:.0f} s; {document['queries']:,} queries are the first "
        "sentences of docstrings, and the rest of the same docstring is the right answer."
    )
    lines = [SPEED_NOTE, "", "What was found:", *(f"- {line}" for line in document["findings"]), ""]
    lines.append(f"The report is {document['report']}; open it in a browser.")
    return [Text(used), Text(""), results_table(results), *(Text(line) for line in lines)]
