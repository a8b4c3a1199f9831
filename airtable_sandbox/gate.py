"""One API call over HTTP: token, limits, faults, counters around the operation that routes.py carries out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from airtable_sandbox import errors
from airtable_sandbox.counters import Counters
from airtable_sandbox.cut import cut_connection
from airtable_sandbox.faults import Fault, FaultBox
from airtable_sandbox.http_request import body_of, json_of, query_of
from airtable_sandbox.limits import Limiter
from airtable_sandbox.routes import Answer, ApiRequest, answer
from airtable_sandbox.workspace import Workspace

_BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)
_GARBAGE = b'{"records":[{"id":"rec\xff\xfe\x00'


@dataclass
class Gate:
    """The way into /v0. Operations run on the event loop, one after the other: two calls never interleave."""

    workspace: Workspace
    limiter: Limiter
    faults: FaultBox = field(default_factory=FaultBox)
    counters: Counters = field(default_factory=Counters)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, path: list[str], scope: Scope, receive: Receive, send: Send) -> None:
        """A client's call: limited, counted, struck by faults. The token has been checked."""
        request = ApiRequest(scope["method"], path, query_of(scope))
        base_id = self._known_base(request)
        self.counters.arrived(request.endpoint, base_id)
        try:
            request = await self._admitted(request, base_id, scope, receive)
        except errors.ApiError as refused:
            await self._send(JSONResponse(refused.body, refused.status), scope, receive, send)
            return
        struck = self.faults.strike(request.method, scope["path"])
        if await self._fail("before", struck, scope, receive, send):
            return
        result = answer(self.workspace, request)
        self.counters.applied(result.records_written)
        if not await self._fail("after", struck, scope, receive, send):
            await self._send(JSONResponse(result.body, result.status), scope, receive, send)

    async def human_call(self, path: list[str], scope: Scope, receive: Receive) -> Answer:
        """The same operations for a test or a person: no limits, no faults, not counted."""
        body = await body_of(receive, self.limiter.limits.body_bytes)
        try:
            return answer(self.workspace, ApiRequest(scope["method"], path, query_of(scope), json_of(body)))
        except errors.ApiError as refused:
            return Answer(refused.status, refused.body)

    def _known_base(self, request: ApiRequest) -> str | None:
        """The base, if it exists: others share no window with anybody, and would fill the memory."""
        base_id = request.base_id
        return base_id if base_id and self.workspace.catalog.current().find(base_id) else None

    async def _admitted(self, request: ApiRequest, base_id: str | None, scope: Scope, receive: Receive) -> ApiRequest:
        """The request with its body. Raises ApiError when a limit refuses it."""
        limits = self.limiter.limits
        self.limiter.admit(base_id)
        if len(scope["raw_path"]) + len(scope["query_string"]) >= limits.url_characters:
            raise errors.url_too_long()
        body = await body_of(receive, limits.body_bytes)
        if request.path[:1] != ["meta"]:
            self.limiter.spend()
        return ApiRequest(request.method, request.path, request.query, json_of(body))

    async def _fail(self, when: str, struck: list[Fault], scope: Scope, receive: Receive, send: Send) -> bool:
        """Carries out the faults of this moment; True when one of them took the place of the answer."""
        for fault in struck:
            if fault.when != when:
                continue
            self.counters.fault(fault.kind)
            if fault.kind == "latency":
                await self._wait(fault.latency_ms / 1000)
            elif fault.kind == "reset":
                cut_connection(scope)
            elif fault.kind == "hang":
                await self._hang(scope, receive)
            else:
                await self._send(_faulty_answer(fault), scope, receive, send)
        return any(fault.when == when and fault.kind != "latency" for fault in struck)

    async def _wait(self, seconds: float) -> None:
        """Until the time has passed or the server stops."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _hang(self, scope: Scope, receive: Receive) -> None:
        """Until the client gives up or the server stops."""
        waits = {asyncio.ensure_future(receive()), asyncio.ensure_future(self.stopping.wait())}
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for waiting in pending:
            waiting.cancel()
        cut_connection(scope)

    async def _send(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self.counters.answered(response.status_code)
        await response(scope, receive, send)


def _faulty_answer(fault: Fault) -> Response:
    if fault.kind == "garbage":
        return Response(_GARBAGE, 200, media_type="application/json")
    headers = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    if fault.status == 502:
        return HTMLResponse(_BAD_GATEWAY, 502, headers)
    body: dict[str, Any] = {
        429: errors.rate_limited().body,
        500: {"error": {"type": "SERVER_ERROR", "message": "Server error"}},
        503: {"error": {"type": "RETRIABLE_ERROR", "message": "Service unavailable"}},
    }[fault.status]
    return JSONResponse(body, fault.status, headers)
