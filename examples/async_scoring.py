"""Coroutines: two clients at the same time, and the loop is never held up: `python -m examples.async_scoring`."""

from __future__ import annotations

import asyncio

import producers
from examples.made_up_model import ask_later

LEADS = {"acme": ["Ada", "Grace", "Edsger"], "Jane-Doe": ["Alan"]}


async def score_client(job: producers.Job, client: str) -> None:
    """One client's part, in a task of its own."""
    async with job.client(client) as run:
        for name in LEADS[client]:
            answer = await ask_later(name)
            run.count(leads_processed=1, profile_scoring_tokens=answer.prompt_tokens + answer.completion_tokens)


async def main() -> None:
    """Cancelled, the job and its clients would be Failed with a note."""
    async with producers.job("async_scoring") as job:
        await asyncio.gather(*(score_client(job, client) for client in LEADS))
    print(job.run_id)


if __name__ == "__main__":
    asyncio.run(main())
