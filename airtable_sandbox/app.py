"""The ASGI application: who may see what, and which part answers."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from airtable_sandbox import errors
from airtable_sandbox.control import control
from airtable_sandbox.gate import Gate
from airtable_sandbox.http_request import body_of, has_token, json_of, path_of
from airtable_sandbox.pages import page
from airtable_sandbox.routes import Answer


class SandboxApp:
    """/v0 is Airtable's API, /_sandbox the control routes (same token), everything else the page for people."""

    def __init__(self, gate: Gate, token: str) -> None:
        self._gate = gate
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if path[:1] not in (["v0"], ["_sandbox"]):
            response: Response = page(self._gate.workspace, path, scope)
        elif not has_token(scope, self._token):
            response = JSONResponse(errors.unauthenticated().body, 401)
        elif path[0] == "v0":
            return await self._gate.call(path[1:], scope, receive, send)
        else:
            result = await self._control(path[1:], scope, receive)
            response = JSONResponse(result.body, result.status)
        await response(scope, receive, send)
        return None

    async def _control(self, path: list[str], scope: Scope, receive: Receive) -> Answer:
        if path[:1] == ["v0"]:
            return await self._gate.human_call(path[1:], scope, receive)
        body = await body_of(receive, self._gate.limiter.limits.body_bytes)
        try:
            return control(self._gate, scope["method"], path, json_of(body))
        except errors.ApiError as refused:
            return Answer(refused.status, refused.body)
