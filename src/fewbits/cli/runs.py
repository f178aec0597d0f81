"""One evaluation with its progress, and the files it may leave."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewbits.cli.progress import bar

if TYPE_CHECKING:
    from fewbits.arrays import Floats
    from fewbits.evaluate import Dataset, Results
    from fewbits.models import Encoder


def encode_texts(
    encoder: Encoder, texts: Sequence[str], label: str, *, quiet: bool
) -> tuple[Floats, float]:
    """Return vectors (n, d) and the seconds they took."""
    start = time.perf_counter()
    with bar(label, quiet=quiet) as advance:
        x = encoder.encode(texts, progress=advance)
    return x, time.perf_counter() - start


def run(x: Any, q: Any, *, quiet: bool, **options: Any) -> Results:  # noqa: ANN401 - passed on
    """Return `fewbits.evaluate.evaluate(x, q, ...)`, with a bar."""
    from fewbits.evaluate import evaluate

    with bar("evaluate", quiet=quiet) as advance:
        return evaluate(
            x, q, progress=lambda label, done, total: advance(done, total, label), **options
        )


def write_files(
    results: Results, report: Path | None, results_file: Path | None, data: Dataset | None = None
) -> None:
    """Write the HTML report and the JSON results where they are wanted."""
    from fewbits.evaluate import write_report

    texts: dict[str, Any] = {}
    if data is not None:
        texts["queries"] = dict(zip(data.query_ids, data.queries, strict=True))
        texts["docs"] = dict(zip(data.doc_ids, data.docs, strict=True))
    if report is not None:
        write_report(results, report, **texts)
    if results_file is not None:
        results.to_json(results_file)
