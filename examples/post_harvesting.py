"""A harvest by Apify: what was submitted, what came back, what it cost: `python -m examples.post_harvesting`."""

from __future__ import annotations

from producers import post_harvester

PROFILES = {"acme": ["in/ada", "in/alan", "in/grace"]}


def harvest_posts(profiles: list[str]) -> dict[str, object]:
    """What Apify's client returns of a finished run."""
    return {"id": "aB3dE5fG7hJ9kL1mN", "status": "SUCCEEDED", "usageTotalUsd": 0.1 * len(profiles), "posts": 17}


@post_harvester.harvest(client_id=lambda client: client)
def harvest(client: str) -> int:
    """Everything is told at once: what it has cost by then is counted also if this is killed."""
    told = post_harvester.current()
    profiles = PROFILES[client]
    told.submitted(len(profiles))
    run = harvest_posts(profiles)
    told.apify(str(run["id"]), str(run["status"]))
    told.cost(f"{run['usageTotalUsd']:.4f}")
    told.harvested(int(str(run["posts"])))
    return int(str(run["posts"]))


if __name__ == "__main__":
    print(harvest("acme"))
