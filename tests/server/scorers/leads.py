"""Leads of which each kind of outcome comes of one, and what they count."""

from __future__ import annotations

import producers
from contract.settings import Settings
from producers.batch_scorer import Skip, Tally
from tests.server.counted_runs import only_run
from worker.rows import ClientRow, JobRow

LEADS = {"a": [f"a{n}" for n in range(7)], "b": ["b0"], "empty": []}


def counted(settings: Settings) -> tuple[JobRow, dict[str, ClientRow]]:
    assert producers.flush() == 0
    job, clients = only_run(settings)
    return job, {client.client: client for client in clients}


def score(lead: str, tally: Tally) -> int | None:
    """Of the leads of `a` one is skipped, one unclear, one an error, one not to be put to the model."""
    if lead == "a1":
        raise Skip("SAFETY_BLOCK")
    if lead == "a2":
        raise Skip("NO_CONTENT", examined=False)
    if lead == "a3":
        raise ValueError("no JSON")
    tally.tokens(prompt=10, completion=1)
    return None if lead == "a4" else len(lead)


A = {
    "Leads Processed": 7,
    "Profiles Examined for Scoring": 6,
    "Profiles Successfully Scored": 3,
    "Leads Skipped": 2,
    "Errors": 1,
    "Prompt Tokens": 40,
    "Completion Tokens": 4,
    "Profile Scoring Tokens": 44,
}
