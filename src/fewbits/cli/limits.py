"""A part of a data set, for a quick look."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fewbits.evaluate import Dataset


def first_documents(data: Dataset, limit: int) -> Dataset:
    """Return the first `limit` documents; of judged queries, those with a judgement left.

    Raises:
        InputError: there are judgements, but none for these documents.
    """
    from fewbits.errors import InputError

    kept = set(data.doc_ids[:limit])
    qrels = {
        query: {doc: grade for doc, grade in judged.items() if doc in kept}
        for query, judged in data.qrels.items()
    }
    qrels = {query: judged for query, judged in qrels.items() if judged}
    if data.qrels and not qrels:
        raise InputError(f"--limit {limit} leaves no judged document; take more documents")
    chosen = [i for i, name in enumerate(data.query_ids) if not data.qrels or name in qrels]
    return dataclasses.replace(
        data,
        doc_ids=data.doc_ids[:limit],
        docs=data.docs[:limit],
        query_ids=[data.query_ids[i] for i in chosen],
        queries=[data.queries[i] for i in chosen],
        qrels=qrels,
    )
