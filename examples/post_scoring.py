"""The posts of each profile, put to the model together: `python -m examples.post_scoring`."""

from __future__ import annotations

import producers
from examples.made_up_model import ask
from producers import post_scorer

POSTS = {"Ada": ["On engines", "On numbers", "really?"], "Alan": [], "Grace": ["On compilers"]}


def main() -> None:
    """One run for the client, to which each profile's posts are added."""
    with producers.job("post_scoring", stream=2) as job, job.client("acme") as run:
        for found in POSTS.values():
            with post_scorer.posts(len(found), run_id=run.run_id) as posts:
                if not found:
                    raise post_scorer.Skip("NO_CONTENT")
                answers = [ask(post) for post in found]
                posts.tokens(sum(answer.prompt_tokens for answer in answers), sum(answer.completion_tokens for answer in answers))
                posts.scored(sum(answer.score is not None for answer in answers))
                posts.skip("INVALID_AI_RESPONSE", sum(answer.score is None for answer in answers))
    print(job.run_id)


if __name__ == "__main__":
    main()
