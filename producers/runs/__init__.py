"""A job and its client runs, how they are named, kept alive and found again from within."""

from producers.runs.job import ClientRun, Job, told, was_cancelled

__all__ = ["ClientRun", "Job", "told", "was_cancelled"]
