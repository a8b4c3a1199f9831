"""Measurements of Runtally, each beside a peer in the same run: `python -m benchmarks --help`, docs/benchmarks.md."""
