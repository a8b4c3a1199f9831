"""`python -m simulation`: play schedules, or show that each mutation of the design is caught."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from simulation.campaign import Campaign, Plan, run
from simulation.mix import FOCUSES
from simulation.mutations import FOCUS, MUTATIONS


def main() -> int:
    """0 when no invariant was violated; with `--mutate`, when each mutation was caught."""
    options = _options()
    if options.mutate:
        names = list(MUTATIONS) if options.mutate == "all" else [options.mutate]
        campaigns = [_told(_campaign(options, name), options) for name in names]
        return 0 if all(campaign.failure for campaign in campaigns) else 1
    return 1 if _told(_campaign(options, None), options).failure else 0


def _campaign(options: argparse.Namespace, mutation: str | None) -> Campaign:
    focus = options.focus or FOCUS.get(mutation or "", "all")
    return run(Plan(options.seed, options.schedules, options.seconds, mutation, focus))


def _told(campaign: Campaign, options: argparse.Namespace) -> Campaign:
    print(json.dumps(_as_json(campaign)) if options.json else _as_text(campaign), flush=True)  # noqa: T201
    return campaign


def _as_json(campaign: Campaign) -> dict[str, object]:
    failure = campaign.failure
    return {
        "mutation": campaign.mutation,
        "schedules": campaign.schedules,
        "steps": campaign.steps,
        "events": campaign.events,
        "seconds": round(campaign.seconds, 2),
        "schedules_per_minute": round(campaign.per_minute),
        "failure": asdict(failure) if failure else None,
    }


def _as_text(campaign: Campaign) -> str:
    failure = campaign.failure
    figures = f"{campaign.schedules} schedules, {campaign.seconds:.1f} s, {campaign.per_minute:.0f} a minute"
    if campaign.mutation:
        caught = f"caught by seed {failure.seed}: {_first_line(failure.violation)}" if failure else "NOT CAUGHT"
        return f"{campaign.mutation:32} {figures}: {caught}"
    if failure is None:
        return f"{figures}, {campaign.steps} steps, {campaign.events} events: no violation"
    return "\n".join([*failure.trace, "", f"seed {failure.seed}: {failure.violation}", str(failure.mix), figures])


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many, at most")
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule; with --schedules 1 it reprints a failure")
    parser.add_argument("--seconds", type=float, default=1e9, help="for how long, at most")
    parser.add_argument("--mutate", choices=[*MUTATIONS, "all"], help="drop a rule of the design, and see whether it is noticed")
    parser.add_argument("--focus", choices=FOCUSES, help="what goes wrong most often; by default all, or what a mutation needs")
    parser.add_argument("--json", action="store_true", help="one object a line")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
