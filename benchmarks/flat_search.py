"""Flat search, one query at a time, one thread: fewbits beside FAISS on the same vectors.

    pip install -r benchmarks/requirements.txt
    python benchmarks/flat_search.py VECTORS.npy QUERIES.npy [-o results.json]

Engines take turns in rounds, so that a slow moment of the machine meets all of them; figures are
medians over all queries of all rounds. GB/s counts the bytes of codes (factors included) that a
scan must read. The memory row reads the same number of bytes with numpy and nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fewbits
from fewbits.evaluate.machine import fingerprint

ROUNDS = 5
QUERIES = 40
K = 10


def unit(x: np.ndarray) -> np.ndarray:
    """Return float32 rows of unit length."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


Search = Callable[[np.ndarray], np.ndarray]


def fewbits_engines(x: np.ndarray) -> dict[str, tuple[Search, int, float | None]]:
    """Return name -> (search, bytes per vector, encode GB/s of float32 input)."""
    made = {}
    kinds = [("int8", {}), ("int4", {}), ("ternary", {}), ("binary", {}), ("float16", {})]
    kinds += [("binary", {"query": "bits"}), ("binary", {"center": False, "correct": False})]
    for name, params in kinds:
        quantizer = fewbits.make_quantizer(name, **params)
        index = fewbits.Index(quantizer).fit(x[:20_000])
        index.quantizer.encode(x[:5000], threads=1)
        begin = time.perf_counter()
        index.quantizer.encode(x, threads=1)
        speed = x.nbytes / (time.perf_counter() - begin) / 1e9
        index.add(x, threads=1)

        def search(q: np.ndarray, index: fewbits.Index = index) -> np.ndarray:
            return index.search(q, K, threads=1).ids

        label = f"fewbits {name}" + "".join(f" {key}={value}" for key, value in params.items())
        made[label] = (search, index.info()["bytes_per_vector"], speed)
    return made


def faiss_engines(x: np.ndarray) -> dict[str, tuple[Search, int, float | None]]:
    """Return the FAISS indexes that fewbits is held against, in the same form."""
    import faiss

    faiss.omp_set_num_threads(1)
    made = {}
    d = x.shape[1]
    kinds = {
        "faiss QT_8bit_direct_signed": faiss.ScalarQuantizer.QT_8bit_direct_signed,
        "faiss QT_8bit": faiss.ScalarQuantizer.QT_8bit,
        "faiss QT_4bit": faiss.ScalarQuantizer.QT_4bit,
        "faiss QT_fp16": faiss.ScalarQuantizer.QT_fp16,
    }
    for label, kind in kinds.items():
        index = faiss.IndexScalarQuantizer(d, kind, faiss.METRIC_INNER_PRODUCT)
        factor = np.float32(127) if "direct" in label else np.float32(1)
        index.train(x[:20_000] * factor)
        begin = time.perf_counter()
        index.add(x * factor)
        speed = x.nbytes / (time.perf_counter() - begin) / 1e9

        def search(q: np.ndarray, index: object = index, factor: np.float32 = factor) -> np.ndarray:
            return index.search(q[None] * factor, K)[1][0]  # type: ignore[attr-defined]

        made[label] = (search, index.sa_code_size(), speed)
    bits = np.packbits(x > 0, axis=1)
    binary = faiss.IndexBinaryFlat(d)
    binary.add(bits)

    def hamming(q: np.ndarray) -> np.ndarray:
        return binary.search(np.packbits(q > 0)[None], K)[1][0]

    made["faiss IndexBinaryFlat"] = (hamming, d // 8, None)
    return made


def measure(x: np.ndarray, q: np.ndarray) -> list[dict[str, object]]:
    """Return one row per engine."""
    engines = {**fewbits_engines(x), **faiss_engines(x)}
    exact = np.argsort(-(q @ x.T), axis=1)[:, :K]
    flat = np.ascontiguousarray(np.empty(x.shape[0] * x.shape[1], dtype=np.uint8)).view(np.int64)
    flat[:] = 1
    times: dict[str, list[float]] = {name: [] for name in [*engines, "memory"]}
    found: dict[str, list[float]] = {name: [] for name in engines}
    for round_number in range(ROUNDS):
        for name, (search, _, _) in engines.items():
            search(q[0])
            for i in range(min(QUERIES, len(q))):
                begin = time.perf_counter()
                ids = search(q[i])
                times[name].append(time.perf_counter() - begin)
                if round_number == 0:
                    found[name].append(len(np.intersect1d(ids, exact[i])) / K)
        for _ in range(QUERIES // 4):
            begin = time.perf_counter()
            flat.sum()
            times["memory"].append(time.perf_counter() - begin)
    rows = []
    for name, (_, size, speed) in engines.items():
        median = float(np.median(times[name]))
        rows.append(
            {
                "engine": name,
                "bytes_per_vector": size,
                "recall_at_10": float(np.mean(found[name])),
                "ms_p50": 1e3 * median,
                "ms_min": 1e3 * min(times[name]),
                "scan_gb_s": len(x) * size / median / 1e9,
                "encode_gb_s": speed,
            }
        )
    median = float(np.median(times["memory"]))
    rows.append(
        {
            "engine": "numpy sum (memory)",
            "ms_p50": 1e3 * median,
            "ms_min": 1e3 * min(times["memory"]),
            "scan_gb_s": flat.nbytes / median / 1e9,
        }
    )
    return rows


def main() -> None:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    rows = measure(unit(np.load(args.vectors)), unit(np.load(args.queries)))
    for row in rows:
        cells = [
            f"{key} {value:.3f}"
            if isinstance(value, float)
            else f"{value:<30}"
            if key == "engine"
            else f"{key} {value}"
            for key, value in row.items()
        ]
        print("  ".join(cells))
    if args.output:
        document = {"machine": fingerprint(), "rows": rows}
        args.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
