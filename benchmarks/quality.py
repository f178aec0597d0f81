"""What each format keeps on a judged collection whose vectors are at hand.

    python benchmarks/quality.py BEIR_FOLDER CORPUS.npy QUERIES.npy [-o results.json]

CORPUS.npy and QUERIES.npy hold one row per line of corpus.jsonl and queries.jsonl; queries without
judgements are left out. Every quantizer and some variants, cosine, 10 neighbours, four
candidates per neighbour rescored from float16. With no vectors at hand, `fewbits evaluate FOLDER`
embeds the texts first and measures the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fewbits
from fewbits.evaluate import Row, evaluate, read_dataset, read_vectors

KINDS = [
    fewbits.Binary(center=False, correct=False),
    fewbits.Binary(query="bits"),
    "binary",
    "ternary",
    fewbits.Int4(center=False, correct=False),
    "int4",
    "int8",
    fewbits.Int8(dynamic=True),
    "float16",
]


def line(row: Row) -> str:
    """Return one row of the table in Markdown."""
    again = row.rescored
    assert again is not None
    assert row.plain.ndcg is not None
    assert row.plain.ndcg_change is not None
    recall = row.plain.recall
    return (
        f"| {row.label} | {row.bytes_per_vector:.0f} | {recall.mean:.3f} "
        f"({recall.low:.3f} to {recall.high:.3f}) | {again.recall.mean:.3f} | "
        f"{row.plain.ndcg.mean:.4f} | {row.plain.ndcg_change.mean:+.4f} |"
    )


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    data = read_dataset(args.folder)
    x = np.asarray(read_vectors(args.corpus, rows=len(data.docs)), dtype=np.float32)
    q = np.asarray(read_vectors(args.queries, rows=len(data.queries)), dtype=np.float32)
    judged = [i for i, name in enumerate(data.query_ids) if name in data.qrels]
    results = evaluate(
        x,
        q[judged],
        quantizers=KINDS,
        qrels=data.qrels,
        doc_ids=data.doc_ids,
        query_ids=[data.query_ids[i] for i in judged],
        name=args.folder.name,
    )
    print("| quantizer | bytes | recall@10 (95 % interval) | rescored | nDCG@10 | change |")
    print("|---|---|---|---|---|---|")
    for row in sorted(results.rows, key=lambda row: row.bytes_per_vector):
        print(line(row))
    if args.output:
        results.to_json(args.output)


if __name__ == "__main__":
    main()
