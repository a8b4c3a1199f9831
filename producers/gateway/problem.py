"""What a refused request is told: problem details (RFC 9457), `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Ends a request with `status`. `code` is for machines and never changes; `detail` says to people what to do.

    `errors`: what is wrong with which part of the body, each with `reason` and where it stands. `more`: further members.
    `retry_after_s` is a floor, in seconds, for 429 and 503.
    """

    def __init__(  # the members of a problem
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        more: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.more = dict(more or {})
        self.retry_after_s = retry_after_s

    def response(self) -> Response:
        """The answer."""
        members: dict[str, Any] = {
            "type": f"urn:runtally:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = self.errors
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(msgspec.json.encode(members | self.more), self.status, headers, MEDIA_TYPE)
