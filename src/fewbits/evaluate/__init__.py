"""Prove on the user's own data what a quantizer keeps and what it costs."""

from __future__ import annotations

from fewbits.evaluate.bootstrap import Interval, difference_interval, mean_interval
from fewbits.evaluate.correlation import spearman, spearman_kept
from fewbits.evaluate.datasets import Dataset, read_dataset, read_vectors
from fewbits.evaluate.docstrings import docstring_dataset
from fewbits.evaluate.encoders import EncoderComparison, Kept, compare_encoders
from fewbits.evaluate.exact import exact_neighbours
from fewbits.evaluate.metrics import mean, mrr_at, ndcg_at, neighbour_recall, recall_at
from fewbits.evaluate.pairs import Pairs, read_pairs
from fewbits.evaluate.report import write_report
from fewbits.evaluate.results import Baseline, Found, Lost, Results, Row
from fewbits.evaluate.run import evaluate
from fewbits.evaluate.speed import EncoderSpeed, measure_speed

__all__ = [
    "Baseline",
    "Dataset",
    "EncoderComparison",
    "EncoderSpeed",
    "Found",
    "Interval",
    "Kept",
    "Lost",
    "Pairs",
    "Results",
    "Row",
    "compare_encoders",
    "difference_interval",
    "docstring_dataset",
    "evaluate",
    "exact_neighbours",
    "mean",
    "mean_interval",
    "measure_speed",
    "mrr_at",
    "ndcg_at",
    "neighbour_recall",
    "read_dataset",
    "read_pairs",
    "read_vectors",
    "recall_at",
    "spearman",
    "spearman_kept",
    "write_report",
]
