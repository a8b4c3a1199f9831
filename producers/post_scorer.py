"""Post scorer: one post, or the posts of one profile: processed, examined, scored, and their tokens.

from producers import post_scorer

with post_scorer.posts(len(found), client_id="client-a") as posts:
    answer = model.score(found)
    posts.tokens(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
    posts.scored(len(answer.scores))

Many clients chunk by chunk: `batch_scorer.BatchScorer(…, names=post_scorer.POSTS)`.
"""

from __future__ import annotations

from collections.abc import Callable

from producers.runs.work import Plan
from producers.scoring.block import Block, current_piece
from producers.scoring.tally import POSTS, Skip, Tally

__all__ = ["POSTS", "Skip", "Tally", "current", "post", "posts"]

JOB_TYPE = "post_scoring"


class _Posts(Tally):
    """Any number of posts: what a decorated function returns says nothing about them."""

    def judge(self, score: object) -> None:
        """The function itself has told how many were scored."""


def post(
    *,
    client_id: str | Callable[..., str] | None = None,
    run_id: str | Callable[..., str | None] | None = None,
    job_type: str = JOB_TYPE,
    stream: int | None = None,
) -> Block[Tally]:
    """One post: as `single_scorer.lead` is one lead. What a decorated function returns is the score (None or False: none)."""
    return Block(Plan(job_type, run_id, client_id, stream), lambda _: Tally(POSTS, 1))


def posts(
    number: int = 0,
    *,
    client_id: str | Callable[..., str] | None = None,
    run_id: str | Callable[..., str | None] | None = None,
    job_type: str = JOB_TYPE,
    stream: int | None = None,
) -> Block[Tally]:
    """Several posts, such as those of one profile. `number` of them are examined; where that turns out later: `examined(number)`.

    The work says with `scored(number)` how many got a score, in a decorated function by `current()`. A Skip counts for all that are not
    accounted for, another exception as one error.
    """
    return Block(Plan(job_type, run_id, client_id, stream), lambda _: _Posts(POSTS, number))


def current() -> Tally:
    """The tally of the posts that are scored here, across awaits and in `asyncio.to_thread`. Raises NoCurrentRun where there is none."""
    return current_piece(Tally)
