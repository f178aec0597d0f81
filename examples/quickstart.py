"""Embed, quantize, search and save: text that is on every machine, five lines that matter."""

from __future__ import annotations

import fewbits
from fewbits.evaluate import docstring_dataset

data = docstring_dataset(300, max_words=25)  # real text: docstrings of the installed packages

encoder = fewbits.Encoder.load()
index = fewbits.Index("int8").add(encoder.encode(data.docs), ids=data.doc_ids)
scores, ids = index.search(encoder.encode("the file cannot be opened"), k=3)
index.save("docstrings.fewbits")
index = fewbits.Index.open("docstrings.fewbits")

for score, name in zip(scores, ids, strict=True):
    print(f"{score:.3f}  {name}")
print(f"{len(index)} vectors, {index.info()['bytes_per_vector']} bytes each instead of 1536")
