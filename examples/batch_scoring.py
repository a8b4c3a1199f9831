"""Many clients, chunk by chunk: `python -m examples.batch_scoring [RUN_ID]`. With the ID of a run that stopped it goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from examples.made_up_model import ask
from producers.batch_scorer import BatchScorer, Skip, Tally

CLIENTS = {"acme": "Acme Inc.", "Jane-Doe": "Jane Doe", "quiet": "Nothing today"}
LEADS = {"acme": ["Ada", "Grace", "", "why?", "offline", "Edsger", "Barbara"], "Jane-Doe": ["Alan", "Alonzo"], "quiet": []}


def read_leads(client: str) -> Iterator[dict[str, str]]:
    """A client's leads, one by one; `id` is what makes a lead the same lead the next time."""
    for number, profile in enumerate(LEADS[client]):
        yield {"id": f"{client}-{number}", "profile": profile}


def score(lead: dict[str, str], tally: Tally) -> int:
    """What is returned is the score. An exception is an error of this lead alone."""
    if not lead["profile"]:
        raise Skip("NO_CONTENT", examined=False)
    answer = ask(lead["profile"])
    tally.tokens(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
    if answer.score is None:
        raise Skip("INVALID_AI_RESPONSE")
    return answer.score


def main() -> int:
    """The exit code says whether a client failed; its reason stands in its run."""
    scorer = BatchScorer(leads_of=read_leads, score_lead=score, chunk_size=3, stream=1, exclusive=True)
    result = scorer.run(CLIENTS, run_id=sys.argv[1] if len(sys.argv) > 1 else None)
    print(result.run_id, *result.finished_before)
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
