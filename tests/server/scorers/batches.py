"""Batches that stop and go on, and what is counted of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import producers
from contract.settings import Settings
from producers.batch_scorer import BatchScorer, Tally
from tests.server.counted_runs import only_run
from worker.rows import ClientRow, JobRow

LEADS = {"a": [f"a{n}" for n in range(10)], "b": [f"b{n}" for n in range(5)], "c": [f"c{n}" for n in range(3)]}


class Stop(BaseException):
    """The end of an attempt, whatever it was at."""


class Scoring:
    """A scorer that says what it has scored, and stops at a lead if it is told to."""

    def __init__(self, leads: Any = LEADS, chunk_size: int = 3) -> None:
        self.scored: Counter[str] = Counter()
        self.stop_at: str | None = None
        self.scorer = BatchScorer(leads_of=leads, score_lead=self.score, chunk_size=chunk_size)

    def score(self, lead: str, tally: Tally) -> int:
        if lead == self.stop_at:
            raise Stop
        self.scored[lead] += 1
        tally.tokens(prompt=16 ** int(lead[1:]), total=1)
        return 1

    def cut_differently(self, random: Random) -> None:
        """From now on the chunks are of another size, and the leads in another order."""
        leads = {client: random.sample(found, len(found)) for client, found in self.scorer.leads_of.items()}
        self.scorer = replace(self.scorer, leads_of=leads, chunk_size=random.randint(1, 6))

    def attempt(self, run_id: str | None = None) -> str:
        """Begin or continue a run; its ID."""
        try:
            return self.scorer.run(LEADS, run_id=run_id).run_id
        except Stop:
            assert run_id is not None
            return run_id


def counted(settings: Settings) -> tuple[JobRow, dict[str, ClientRow]]:
    assert producers.flush(20) == 0
    job, clients = only_run(settings)
    return job, {client.client: client for client in clients}


def numbers(settings: Settings) -> dict[str, int]:
    """Leads processed by client; scores and tokens must agree."""
    _, clients = counted(settings)
    found = {}
    for client, row in clients.items():
        found[client] = row.metrics.get("Leads Processed", 0)
        assert row.metrics.get("Profiles Successfully Scored", 0) == row.metrics.get("Profile Scoring Tokens", 0) == found[client]
    return found


EVERYTHING = {client: len(leads) for client, leads in LEADS.items()}


def times(settings: Settings, client: str = "a") -> dict[str, int]:
    """How often each lead of a client was counted, if it was less than 16 times; by the prompt tokens, a digit for each lead."""
    row = counted(settings)[1].get(client)
    left = 0 if row is None else row.metrics.get("Prompt Tokens", 0)
    found = {}
    number = 0
    while left:
        left, counted_here = divmod(left, 16)
        if counted_here:
            found[f"{client}{number}"] = counted_here
        number += 1
    return found
