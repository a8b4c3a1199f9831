"""Deterministic simulation: the real consumer, fold and flush against models of Redis, Airtable, clock and network.

One seed is one schedule: who runs next, what breaks and when. `python -m simulation --help`; docs/simulation.md.
"""
