"""What Apify tells of a run: its own payload, and the variables that a user's payload template adds.

Source: docs.apify.com, platform/integrations/webhooks, events and actions. Unknown members are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from contract.errors import ValueRejected
from contract.shown import shown
from contract.values import to_datetime_text, to_decimal, to_integer
from producers.gateway.problem import Problem
from producers.gateway.webhooks.apify.members import Members

RUN_ID = ("run_id", "runId")
CLIENT_ID = ("client_id", "clientId")
POSTS = ("posts_harvested", "postsHarvested", "total_posts_harvested", "totalPostsHarvested")
COST = ("cost", "apify_api_costs", "apifyApiCosts")

_APIFY_RUN = ("eventData.actorRunId", "resource.id", "actorRunId")
_EVENT = "ACTOR.RUN."
_IGNORED = ("ACTOR.BUILD.", "TEST")
_MAX_ID_CHARS = 200
_MAX_STATUS_CHARS = 100
_FIRST_YEAR, _LAST_YEAR = 2000, 2099


class Kind(StrEnum):
    """The events of an Apify run; the last four end it."""

    CREATED = "CREATED"
    RESURRECTED = "RESURRECTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def ends(self) -> bool:
        """Whether the run is over."""
        return self not in (Kind.CREATED, Kind.RESURRECTED)


@dataclass(frozen=True, slots=True)
class ApifyEvent:
    """One webhook. `run`: Apify's run ID. `at`: when it happened, None if the payload does not say. Times are aware, in UTC.

    `run_id`, `client`: texts of the template, as they arrived. `posts`, `cost` (USD): of the Apify run so far, never below 0."""

    kind: Kind
    run: str
    status: str
    at: datetime | None
    started: datetime | None
    finished: datetime | None
    message: str | None
    run_id: str | None
    client: str | None
    posts: int | None
    cost: Decimal | None

    @property
    def identity(self) -> str:
        """The same for every delivery of this event."""
        return f"{self.run}:ACTOR.RUN.{self.kind}"


def read_event(body: Any) -> ApifyEvent | None:
    """The event; None for one that is about no run, such as Apify's test. Raises Problem (422) naming every faulty field."""
    if not isinstance(body, dict):
        raise Problem(422, "payload-refused", f"the payload is a JSON object, not {shown(body)}")
    members = Members(body)
    event_type = members.text("eventType")
    if event_type is not None and event_type.startswith(_IGNORED):
        return None
    kind = _kind(members, event_type)
    run = _run(members)
    event = _event(members, kind or Kind.CREATED, run or "")
    if members.faults:
        detail = "; ".join(f"{fault['field']} {fault['reason']}" for fault in members.faults)
        raise Problem(422, "payload-refused", detail, errors=members.faults)
    return event


def _kind(members: Members, event_type: str | None) -> Kind | None:
    name = (event_type or "").removeprefix(_EVENT)
    if event_type is not None and event_type != name and name in Kind.__members__:
        return Kind[name]
    if not members.faults:
        known = ", ".join(_EVENT + kind for kind in Kind)
        members.fault("eventType", f"is {shown(event_type)}, none of {known}")
    return None


def _run(members: Members) -> str | None:
    before = len(members.faults)
    run = members.text(*_APIFY_RUN)
    if len(members.faults) == before and not (run and len(run) <= _MAX_ID_CHARS):
        members.fault(_APIFY_RUN[0], f"is needed: Apify's ID of the run, at most {_MAX_ID_CHARS} characters")
    return run


def _event(members: Members, kind: Kind, run: str) -> ApifyEvent:
    started = members.read(_moment, "resource.startedAt", "startedAt")
    finished = members.read(_moment, "resource.finishedAt", "finishedAt")
    cost = members.read(_amount, *COST)
    used = members.read(_amount, "resource.usageTotalUsd")
    return ApifyEvent(
        kind=kind,
        run=run,
        status=(members.text("resource.status") or kind.replace("_", "-"))[:_MAX_STATUS_CHARS],
        at=members.read(_moment, "createdAt") or (finished if kind.ends else started if kind is Kind.CREATED else None),
        started=started,
        finished=finished if kind.ends else None,
        message=members.text("resource.statusMessage"),
        run_id=members.text(*RUN_ID),
        client=members.text(*CLIENT_ID),
        posts=members.read(_count, *POSTS),
        cost=used if cost is None else cost,
    )


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueRejected(f"is no ISO 8601 time: {shown(value)}")
    moment = datetime.fromisoformat(to_datetime_text(value))
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueRejected(f"is outside the years {_FIRST_YEAR} to {_LAST_YEAR}: {shown(value)}")
    return moment


def _count(value: Any) -> int:
    count = to_integer(value)
    if count < 0:
        raise ValueRejected(f"is negative: {count}")
    return count


def _amount(value: Any) -> Decimal:
    amount = to_decimal(value)
    if amount < 0:
        raise ValueRejected(f"is negative: {shown(str(amount))}")
    return amount
