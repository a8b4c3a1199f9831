"""Faults on the side that emits, at full size. Each module with a `NAME` has `run(seed, seconds)`, which returns a verdict."""
