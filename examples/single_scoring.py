"""One lead at a time, as a web request or a task does it: `python -m examples.single_scoring`."""

from __future__ import annotations

from examples.made_up_model import ask
from producers import single_scorer
from producers.single_scorer import Skip


@single_scorer.lead(client_id=lambda client, _: client)
def score(client: str, profile: str) -> int:
    """A run of its own: 1 processed, 1 examined, 0 or 1 scored. What is returned is the score; a Skip gives None."""
    if not profile:
        raise Skip("NO_CONTENT", examined=False)
    answer = ask(f"{client}: {profile}")
    single_scorer.current().tokens(prompt=answer.prompt_tokens, completion=answer.completion_tokens)
    if answer.score is None:
        raise Skip("INVALID_AI_RESPONSE")
    return answer.score


def main() -> None:
    """The failure of one request is counted, and its caller's to handle."""
    for client, profile in [("acme", "Ada, engineer"), ("Jane-Doe", "who?"), ("acme", ""), ("acme", "offline")]:
        try:
            print(client, score(client, profile))
        except ConnectionError as error:
            print(client, error)


if __name__ == "__main__":
    main()
