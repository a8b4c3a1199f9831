"""Faults between the producers and the rows: workers, connections, Redis, the broker."""
