"""Text encoders, measured: fewbits beside other engines on the same texts, model and threads.

python -m benchmarks.encoders run | quality | page --help
"""
