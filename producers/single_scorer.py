"""Single scorer: one lead at a time, in a web request, a task or a script: 1 processed, 1 examined, 0 or 1 scored, and its tokens.

from producers import single_scorer

with single_scorer.lead(client_id="client-a") as lead:
    answer = model.score(profile)
    lead.tokens(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
    lead.scored()
"""

from __future__ import annotations

from collections.abc import Callable

from producers.runs.work import Plan
from producers.scoring.block import Block, current_piece
from producers.scoring.tally import LEADS, Skip, Tally

__all__ = ["Skip", "Tally", "current", "lead"]


def lead(
    *,
    client_id: str | Callable[..., str] | None = None,
    run_id: str | Callable[..., str | None] | None = None,
    job_type: str = "lead_scoring",
    stream: int | None = None,
) -> Block[Tally]:
    """One lead, as a `with`, an `async with` or a decorator; see `Block` for what happens to exceptions and Skips.

    With `run_id` the counts are added to that client's run; without it each block is a run of its own, of `job_type` and `stream`.
    `client_id` may be left out where `run_id` names the client. For a decorator both may be functions of the call's arguments; what the
    decorated function returns is the score (None or False: none was given), and `current()` in it is the lead's tally.
    """
    return Block(Plan(job_type, run_id, client_id, stream), lambda _: Tally(LEADS, 1))


def current() -> Tally:
    """The tally of the lead that is scored here, across awaits and in `asyncio.to_thread`. Raises NoCurrentRun where there is none."""
    return current_piece(Tally)
