"""The fault suite at full size: `python -m faults`, or `make faults`.

A fault is a module `faults/<area>/<name>.py` with `NAME: str` and `run(seed: int, seconds: float) -> dict`, which loads a server of
its own for about `seconds`, breaks something meanwhile, and hands back a verdict (faults/verdict.py). tests/faults has each one small.
"""
