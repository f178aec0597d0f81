"""`fewbits quantize`: vectors in, an index folder out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.choices import check_quantizer, unless_none
from fewbits.cli.options import AsJson, Metric, MetricName, Quiet, Rescore, Threads
from fewbits.cli.progress import Advance, bar
from fewbits.cli.session import session

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from fewbits.vectors import Index

_Vectors = Annotated[
    Path, typer.Argument(metavar="X.npy", help="Vectors (n, d): float16, float32 or float64.")
]
_Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="The index folder to write.")
]
_To = Annotated[
    str,
    typer.Option("--to", metavar="NAME", callback=check_quantizer, help="One of {quantizers}."),
]
_Param = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="KEY=VALUE",
        help="A parameter of the quantizer, such as observer=percentile:99.9; may be repeated.",
    ),
]
_Bits = Annotated[
    float | None,
    typer.Option("--bits", metavar="B", help="Bits per dimension; short for --param bits=B."),
]
_RescoreBits = Annotated[
    float | None,
    typer.Option(
        "--rescore-bits",
        metavar="B",
        help="Second copy of what the first leaves over, instead of --rescore: bits per dimension.",
    ),
]
_Clusters = Annotated[
    int | None,
    typer.Option("--clusters", metavar="N", min=1, help="Divide the vectors into N clusters."),
]
_Ids = Annotated[
    Path | None,
    typer.Option(
        "--ids",
        metavar="FILE",
        show_default="X.ids.jsonl if it exists, else row numbers",
        help="One id per vector: lines of text, .jsonl, or integers in .npy.",
    ),
]
_Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="Y.npy",
        show_default="the vectors themselves",
        help="Vectors that ranges are learned from.",
    ),
]
_ROWS_AT_A_TIME = 16_384


def quantize(
    vectors: _Vectors,
    output: _Target,
    to: _To = "int8",
    metric: Metric = MetricName.cosine,
    rescore: Rescore = "none",
    bits: _Bits = None,
    rescore_bits: _RescoreBits = None,
    clusters: _Clusters = None,
    param: _Param = None,
    ids: _Ids = None,
    calibration: _Calibration = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make vectors small and write them as a searchable index.

    An index that is there is replaced in one step; a folder that holds anything else is refused.
    """
    with session(as_json=as_json, quiet=quiet) as out:
        from fewbits.cli.idfiles import ids_beside, read_ids
        from fewbits.cli.params import parse_params
        from fewbits.evaluate import read_vectors
        from fewbits.vectors import Index

        wanted = [*(param or []), *([] if bits is None else [f"bits={bits}"])]
        index = Index(
            to,
            metric=metric.value,
            rescore=unless_none(rescore),
            rescore_bits=rescore_bits,
            clusters=clusters,
            **parse_params(to, wanted),
        )
        beside = ids_beside(vectors)
        source = ids or (beside if beside.is_file() else None)
        names = None if source is None else read_ids(source)
        x = read_vectors(vectors)
        index.fit(x if calibration is None else read_vectors(calibration))
        start = time.perf_counter()
        with bar("quantize", quiet=quiet) as advance:
            index.add(_walk(x, advance), names, threads=threads)
        seconds = time.perf_counter() - start
        index.save(output)
        document = _document(index, output, source, seconds)
        out.result(document, lambda: _view(document))


def _walk(x: NDArray[Any], advance: Advance) -> Iterator[NDArray[Any]]:
    for start in range(0, len(x), _ROWS_AT_A_TIME):
        yield x[start : start + _ROWS_AT_A_TIME]
        advance(min(start + _ROWS_AT_A_TIME, len(x)), len(x))


def _document(index: Index, output: Path, ids: Path | None, seconds: float) -> dict[str, Any]:
    from fewbits.cli.folders import folder_bytes

    info = index.info()
    kept = ["rows", "dims", "metric", "quantizer", "quantizer_params", "rescore"]
    kept += ["bytes_per_vector", "rescore_bytes_per_vector", "clipped_fraction", "calibration_rows"]
    float_bytes = 4 * info["dims"]
    return {
        "path": str(output),
        **{key: info[key] for key in kept},
        "ratio": float_bytes / info["bytes_per_vector"],
        "encode_mb_per_second": info["rows"] * float_bytes / max(seconds, 1e-9) / 1e6,
        "folder_bytes": folder_bytes(output),
        "ids": None if ids is None else str(ids),
    }


def _view(document: dict[str, Any]) -> list[RenderableType]:
    from fewbits.cli.views import facts, size

    second = document["rescore_bytes_per_vector"]
    lines: dict[str, object] = {
        "index": document["path"],
        "rows": f"{document['rows']:,} of {document['dims']} dimensions, {document['metric']}",
        "quantizer": document["quantizer"],
        "bytes per vector": f"{document['bytes_per_vector']:,}",
        "ratio to float32": f"{document['ratio']:.1f}x smaller",
        "encode": f"{document['encode_mb_per_second']:,.0f} MB/s of float32",
        "clipped": f"{document['clipped_fraction']:.4%} of the values",
        "on disk": size(document["folder_bytes"]),
        "ids": document["ids"] or "row numbers",
    }
    if second:
        lines["rescore"] = f"{document['rescore']}, {second:,} more bytes per vector"
    return [facts(lines)]
