"""Events to measure with, in batches as the publisher makes them, and what they add up to by plain addition."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contract import keys
from contract.events import EventType
from contract.link import Link
from contract.settings import Settings
from producers.publish.event import Buffered, Subject
from producers.publish.outbox import Outbox

NAMES = {
    "leads_processed": "Leads Processed",
    "profiles_examined_for_scoring": "Profiles Examined for Scoring",
    "profiles_successfully_scored": "Profiles Successfully Scored",
    "profile_scoring_tokens": "Profile Scoring Tokens",
    "prompt_tokens": "Prompt Tokens",
}
"""The five metrics of an event: as they are sent -> as rows hold them."""

REPEATED = 100
"""Each so many events, or each so many batches, one is sent twice."""

_AT_ONCE = 50
_FIRST_RUN = datetime(2025, 9, 30, 14, 15, 22, tzinfo=UTC)


def subjects(runs: int, clients: int) -> list[Subject]:
    """The subjects of `runs` × `clients` client runs."""
    bases = [(_FIRST_RUN + timedelta(seconds=7 * number)).strftime("%y%m%d-%H%M%S") for number in range(runs)]
    return [Subject(f"{base}-client-{number:04d}", base) for base in bases for number in range(clients)]


def metrics(rng: random.Random) -> dict[str, int]:
    """What scoring one lead reports. Never more scored than examined: a rate above 100 % would add a warning."""
    return {
        "leads_processed": 1,
        "profiles_examined_for_scoring": 1,
        "profiles_successfully_scored": rng.randint(0, 1),
        "profile_scoring_tokens": rng.randint(1, 900),
        "prompt_tokens": rng.randint(1, 600),
    }


@dataclass(frozen=True)
class Workload:
    """`batches`: partition and body, in log order, repeats among them. `events`: how many there are without the repeats.

    `sums`: client row ID -> display name -> sum; `counts`: client row ID -> events. Both by plain addition."""

    batches: list[tuple[int, bytes]]
    events: int
    sums: dict[str, dict[str, int]]
    counts: dict[str, int]


def make(settings: Settings, *, events: int, runs: int, clients: int, seed: int) -> Workload:
    """`events` metric updates of one publisher, each for a client run taken at random; one batch in a hundred comes twice.

    Batches hold about `settings.batch_events`, as those of a publisher under load."""
    rng = random.Random(seed)  # noqa: S311  # a workload, no secret
    outbox = Outbox(settings, f"{seed:016x}")
    choices = subjects(runs, clients)
    batches: list[tuple[int, bytes]] = []
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    lanes = len({keys.partition_of(choice.run, settings.partitions) for choice in choices})
    at_ns = int(_FIRST_RUN.timestamp() * 1e9)
    for number in range(1, events + 1):
        subject, values = rng.choice(choices), metrics(rng)
        counts[subject.row_id] += 1
        for name, value in values.items():
            sums[subject.row_id][NAMES[name]] += value
        fields: dict[str, Any] = {"metrics": values}
        outbox.add(Buffered(EventType.METRICS_UPDATED, subject, fields, None, at_ns + number * 1_000_000))
        if number % (settings.batch_events * lanes) == 0:
            _take(outbox, batches)
    _take(outbox, batches)
    return Workload(batches, events, {row: dict(sum_) for row, sum_ in sums.items()}, dict(counts))


def _take(outbox: Outbox, batches: list[tuple[int, bytes]]) -> None:
    """Move what the outbox holds to `batches`, as if it had been sent and confirmed."""
    while outbox:
        outbox.close_batches()
        for batch in outbox.next_unsent():
            outbox.mark_sent(batch)
            outbox.confirm(batch.partition)
            batches.append((batch.partition, batch.body))
            if len(batches) % REPEATED == 0:
                batches.append(batches[-1])


def append(link: Link, batches: list[tuple[int, bytes]]) -> None:
    """Append batches to the log, in order. Rings for nobody."""
    for begin in range(0, len(batches), _AT_ONCE):
        commands = [("XADD", keys.log(partition), "*", "batch", body) for partition, body in batches[begin : begin + _AT_ONCE]]
        for reply in link.pipeline(commands):
            if isinstance(reply, Exception):
                raise reply
