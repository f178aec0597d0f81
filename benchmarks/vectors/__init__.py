"""Vector search, measured: fewbits beside other engines on the same vectors and threads.

python -m benchmarks.vectors run | quality | scaling | page --help
"""
