"""What a call costs: processor, memory and messages of each service, and the sums for many calls.

`python -m benchmarks.sizing` measures (12 minutes, on a quiet machine) and writes
results/sizing.json and the tables of docs/sizing.md; with `--tables` it only writes the tables.
"""
