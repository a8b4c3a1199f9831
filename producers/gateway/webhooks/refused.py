"""What becomes a letter: requests that cannot be used, and items whose handlers raised."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import structlog

from contract.errors import RuntallyError
from producers.gateway.context import Gateway
from producers.gateway.problem import Problem
from producers.gateway.webhooks.handling import Failure
from producers.gateway.webhooks.letters import Letter
from producers.gateway.webhooks.sender import Received
from producers.gateway.webhooks.telling import source_of

_UNUSABLE = 422
_log: Any = structlog.get_logger("runtally.gateway")


@asynccontextmanager
async def kept_if_refused(gateway: Gateway, route: str, come: Received) -> AsyncIterator[dict[str, Any]]:
    """The request is kept when the block ends with a Problem (422), which is passed on. Yields the letter's origin, to add to it
    (`client`). Where it cannot be kept now, that is logged: the sender has it, and is told."""
    origin: dict[str, Any] = {"route": route, "caller": come.sender.caller.name}
    try:
        yield origin
    except Problem as problem:
        if problem.status == _UNUSABLE:
            await _keep_request(gateway, come, origin | {"code": problem.code}, problem.detail)
        raise


def failed_items(kind: str, row_id: str, digest: str, failures: Iterable[Failure]) -> list[Letter]:
    """The items of a delivery whose handlers raised, each with its exception. `digest`: the delivery's."""
    origin = {"route": source_of(kind), "subject": row_id, "delivery": digest}
    return [
        Letter(
            f"{digest} {failure.number}",
            f"its handler raised {failure.text}",
            origin | {"item": failure.number},
            json.dumps(failure.item, ensure_ascii=False),
        )
        for failure in failures
    ]


async def _keep_request(gateway: Gateway, come: Received, origin: dict[str, Any], reason: str) -> None:
    text = come.body.decode("utf-8", "backslashreplace")
    identity = json.dumps([origin["route"], come.sender.caller.id, origin.get("client"), sha256(come.body).hexdigest()])
    try:
        gateway.counters["webhook_letters"] += await gateway.webhooks.letters.keep([Letter(identity, reason, origin, text)])
    except RuntallyError as error:
        _log.error("a webhook that cannot be used is not kept", route=origin["route"], reason=reason[:200], error=str(error))
