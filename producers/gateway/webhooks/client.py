"""Which client a webhook is about: as the request names it, or else the one client that its sender may write for."""

from __future__ import annotations

from starlette.requests import Request

from contract.run_id_value import client_fault
from producers.gateway.access.caller import Caller
from producers.gateway.problem import Problem

HEADER = "x-webhook-client"


def named_client(request: Request) -> str | None:
    """The client in the query parameter `client` or the header X-Webhook-Client; None if neither is there. Raises Problem (422)."""
    named = {value.strip() for value in request.query_params.getlist("client")}
    named |= {_header_text(value).strip() for value in request.headers.getlist(HEADER)}
    if len(named) > 1:
        raise Problem(422, "client-ambiguous", "the query parameter `client` and the header X-Webhook-Client name different clients")
    return named.pop() if named else None


def client_of(caller: Caller, named: str | None) -> str | None:
    """The client to write for; None if the request names none and the caller may write for several.

    Raises Problem: 422 for what is no client ID, 403 for a client that is not the caller's."""
    if named is None:
        return next(iter(caller.clients)) if caller.clients is not None and len(caller.clients) == 1 else None
    fault = client_fault(named)
    if fault:
        raise Problem(422, "client-invalid", f"the client ID {fault}")
    caller.require_client(named)
    return named


def _header_text(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        raise Problem(422, "client-invalid", "the header X-Webhook-Client is not UTF-8") from None
