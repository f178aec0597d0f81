"""Choose a format on your own vectors: the smallest that keeps the share of neighbours you want.

python examples/choose_a_format.py x.npy [0.99]
"""

from __future__ import annotations

import sys

import numpy as np

from fewbits.evaluate import evaluate, write_report

path = sys.argv[1]
wanted = float(sys.argv[2]) if len(sys.argv) > 2 else 0.99

# The last rows play the queries; they are not in the index, as real queries would not be.
vectors = np.load(path, mmap_mode="r")
held_out = min(200, len(vectors) // 10)
results = evaluate(vectors[:-held_out], vectors[-held_out:], k=10, name=path)

for row in sorted(results.rows, key=lambda row: row.bytes_per_vector):
    recall, again = row.plain.recall, row.final.recall
    print(
        f"{row.label:10} {row.bytes_per_vector:6.0f} bytes  {row.ratio:5.1f}x smaller  "
        f"recall@10 {recall.mean:.3f} ({recall.low:.3f} to {recall.high:.3f}), "
        f"rescored {again.mean:.3f}"
    )

# The lower end of the interval, so that chance does not choose.
enough = [row for row in results.rows if row.plain.recall.low >= wanted]
if enough:
    best = min(enough, key=lambda row: row.bytes_per_vector)
    print(f"take {best.name}: {best.ratio:.1f}x smaller, keeps {best.plain.recall.mean:.1%}")
else:
    print(f"no format alone keeps {wanted:.0%}; look at the rescored column")
write_report(results, "report.html")
