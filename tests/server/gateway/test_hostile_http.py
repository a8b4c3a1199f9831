"""HTTP that no client library would send: refused in bounded time and memory, and the next request is served."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest

import cli.bounded_http
import producers.gateway.body
from tests.server.gateway.conftest import ServedGateway
from tests.server.gateway.hostile import EVENT
from tests.server.gateway.raw_http import answer, head

BODY = json.dumps(EVENT).encode()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers.gateway.body, "_READ_S", 1.0)
    monkeypatch.setattr(cli.bounded_http, "_HEAD_S", 1.0)


@pytest.fixture(autouse=True)
def _serves_afterwards(http: httpx.Client) -> Iterator[None]:
    yield
    assert http.post("/v1/events", json=EVENT).status_code == 202


def is_told(received: bytes, status: int, code: str) -> None:
    last = received[received.rindex(b"HTTP/1.1 ") :]
    lines, _, body = last.partition(b"\r\n\r\n")
    assert int(lines.split()[1]) == status, received
    assert b"content-type: application/problem+json" in lines
    told = json.loads(body)
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        ([LENGTH, CHUNKED], [BODY]),
        ([LENGTH, "Content-Length: 5"], [BODY]),
        (["Content-Length: -5"], [BODY]),
        (["Content-Length: five"], [BODY]),
        (["Content-Length: " + "9" * 5_000], [BODY]),
        (["Transfer-Encoding: gzip"], [BODY]),
        ([CHUNKED], [b"zz\r\nhello\r\n"]),
        ([LENGTH, "X-A: a\0b"], [BODY]),
        ([LENGTH, "X-A: a\nX-B: b"], [BODY]),
        ([LENGTH, "X A: b"], [BODY]),
        ([f"Content-Length: {len(BODY) - 10}"], [BODY]),
    ],
)
def test_malformed_requests(lines: list[str], parts: list[bytes], served: ServedGateway, token: str) -> None:
    is_told(answer(served.url, head(token, *lines), *parts), 400, "http-refused")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 1_000]
)
def test_what_is_no_http_1(sent: bytes, served: ServedGateway) -> None:
    is_told(answer(served.url, sent), 400, "http-refused")


@pytest.mark.parametrize(
    "lines",
    [[f"X-Big: {'a' * 70_000}"], [f"X-{number}: a" for number in range(10_000)], [f"X-{'a' * 1_000_000}"]],
    ids=["one", "many", "endless"],
)
def test_a_gigantic_head(lines: list[str], served: ServedGateway, token: str) -> None:
    is_told(answer(served.url, head(token, LENGTH, *lines), BODY), 431, "head-too-large")


def test_a_head_that_never_ends(served: ServedGateway, token: str) -> None:
    is_told(answer(served.url, head(token, LENGTH)[:-10]), 408, "too-slow")


def test_a_connection_on_which_nothing_comes(served: ServedGateway) -> None:
    is_told(answer(served.url), 408, "too-slow")


def test_chunks_without_end_are_bounded_by_size(served: ServedGateway, token: str) -> None:
    chunks = [b"10000\r\n" + b"a" * 65_536 + b"\r\n"] * 100
    is_told(answer(served.url, head(token, CHUNKED), *chunks, end_at=b'requests"}'), 413, "body-too-large")


def test_chunks_without_end_are_bounded_by_time(served: ServedGateway, token: str) -> None:
    is_told(answer(served.url, head(token, CHUNKED), b"5\r\nhello\r\n", end_at=b'again"}'), 408, "too-slow")


def test_a_body_shorter_than_announced(served: ServedGateway, token: str) -> None:
    longer = head(token, f"Content-Length: {len(BODY) + 10}")
    is_told(answer(served.url, longer, BODY, end_at=b'again"}'), 408, "too-slow")
    assert answer(served.url, longer, BODY, half_close=True) == b""
    assert "events_taken" not in served.counters


def test_two_requests_at_once_and_a_head_in_pieces_are_served(served: ServedGateway, token: str) -> None:
    first, last = head(token, LENGTH) + BODY, head(token, LENGTH, CLOSE)
    received = answer(served.url, first + last[:-2], last[-2:] + BODY)
    assert received.count(b"HTTP/1.1 202") == 2
    assert b"HTTP/1.1 202" in answer(served.url, last[:-4], *(bytes([one]) for one in last[-4:-1]), last[-1:] + BODY)
    for cut in (1, 2, 3):
        assert b"HTTP/1.1 202" in answer(served.url, last[:-cut], last[-cut:] + BODY)


@pytest.mark.parametrize("offered", ["h2c", "websocket"])
def test_an_offer_to_upgrade_is_overheard(offered: str, served: ServedGateway, token: str) -> None:
    lines = (LENGTH, "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offered}", "HTTP2-Settings: AAEAAEAAAAIAAAAA")
    assert b'{"accepted":1}' in answer(served.url, head(token, *lines) + BODY, end_at=b'"accepted":1}')
    assert served.counters["events_taken"] == 1
