"""Post harvester: profiles submitted, posts harvested, what it cost, and the Apify run that did it.

from producers import post_harvester

with post_harvester.harvest(client_id="client-a") as harvest:
    harvest.submitted(len(profiles))
    run = apify.actor("posts").call(run_input={"profiles": profiles})
    harvest.apify(run["id"], run["status"])
    harvest.cost(run["usageTotalUsd"])
    harvest.harvested(number_of_posts)
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from producers.runs import ClientRun, told
from producers.runs.work import Plan
from producers.scoring.block import Block, current_piece
from producers.scoring.tally import Skip

__all__ = ["Harvest", "Skip", "current", "harvest"]


class Harvest:
    """What a harvest has come to. Each verb is an event at once: a harvest takes minutes, and what it cost is spent."""

    def __init__(self, run: ClientRun) -> None:
        self._run = run

    def submitted(self, profiles: int) -> None:
        """So many profiles were handed to the harvester."""
        self._run.count(profiles_submitted_for_post_harvesting=profiles)

    def harvested(self, posts: int) -> None:
        """So many posts came back."""
        self._run.count(total_posts_harvested=posts)

    def cost(self, usd: Decimal | str | float) -> None:
        """US dollars charged, added up exactly; a float counts as it is written, 0.1 as 0.1. What is no amount is set aside with a note."""
        self._run.count(apify_api_costs=usd)

    def apify(self, run_id: str | None = None, status: str | None = None) -> None:
        """The Apify run's own ID and status (`SUCCEEDED`, `FAILED`, …): the last told is shown. It decides nothing about our run."""
        values = {"apify_run_id": run_id, "apify_status": status}
        self._run.count({name: value for name, value in values.items() if value is not None})

    def tokens(self, prompt: int | None = 0, completion: int | None = 0, total: int | None = None) -> None:
        """Tokens spent on the harvested posts. `total`: prompt and completion if left out."""
        both = (prompt or 0) + (completion or 0)
        self._run.count(prompt_tokens=prompt or 0, completion_tokens=completion or 0, post_scoring_tokens=both if total is None else total)

    def skip(self, reason: str, number: int = 1) -> None:
        """So many profiles gave no posts, for this reason."""
        self._run.tell({"skips": {reason: number}})

    def error(self, text: str) -> None:
        """Count an error; the harvest goes on."""
        self._run.error(text)

    def judge(self, score: object) -> None:
        """What a decorated function returns says nothing: everything was told."""

    def fail(self, error: BaseException) -> None:
        """The work raised: a Skip by its reason, another exception as an error."""
        if isinstance(error, Skip):
            self.skip(error.reason)
        else:
            self.error(told(error))

    def told(self) -> dict[str, Any]:
        """Nothing is left to be told at the end."""
        return {}


def harvest(
    *,
    client_id: str | Callable[..., str] | None = None,
    run_id: str | Callable[..., str | None] | None = None,
    job_type: str = "post_harvesting",
    stream: int | None = None,
) -> Block[Harvest]:
    """One harvest, as a `with`, an `async with` or a decorator; see `Block` for what happens to exceptions and Skips.

    With `run_id` the counts are added to that client's run; without it each block is a run of its own. For a decorator both may be
    functions of the call's arguments, and `current()` in it is the harvest.
    """
    return Block(Plan(job_type, run_id, client_id, stream), Harvest)


def current() -> Harvest:
    """The harvest that is at work here, across awaits and in `asyncio.to_thread`. Raises NoCurrentRun where there is none."""
    return current_piece(Harvest)
