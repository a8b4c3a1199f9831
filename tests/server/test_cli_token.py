"""`runtally token`, as a person uses it, and that a token's text is kept nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from contract import keys
from contract.link import Link
from contract.settings import Settings
from embedded import free_port
from producers.gateway.access.token import id_of
from tests.server.gateway.conftest import DEADLINE_S, ServedGateway, new_token, served

__all__ = ["new_token", "served"]

ROOT = Path(__file__).parents[2]
RUN = "250930-141522"
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/crm/leads",
    "type": "client.metrics.updated",
    "subject": f"{RUN}-a",
    "data": {"metrics": {"leads_processed": 1}},
}
# The gateway as `runtally web` serves it, with everything logged that can be.
AT_DEBUG = """
import logging, sys, uvicorn
from cli.web import application
from contract.logs import configure_logs
from contract.settings import load_settings
configure_logs(load_settings(), logging.DEBUG)
logging.getLogger("uvicorn").setLevel(logging.DEBUG)
uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=True)
"""


def environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT), "COLUMNS": "140"}


def runtally(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "token", *words]
    return subprocess.run(command, env=environment(settings), capture_output=True, text=True, timeout=60, check=False)


def made(settings: Settings, *words: str) -> str:
    done = runtally(settings, "create", *words)
    assert done.returncode == 0, done.stderr
    text = done.stdout.removesuffix("\n")
    assert "\n" not in text
    return text


def post(url: str, text: str, event: Any = EVENT) -> httpx.Response:
    return httpx.post(f"{url}/v1/events", json=event, headers={"Authorization": f"Bearer {text}"}, timeout=DEADLINE_S)


def status_becomes(wanted: int, url: str, text: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while post(url, text).status_code != wanted:
        assert time.monotonic() < deadline, f"never answered {wanted}"
        time.sleep(0.05)


def everything_in(settings: Settings) -> bytes:
    """Every key and value that Redis holds."""
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": lambda key: link.call("GET", key),
        b"hash": lambda key: link.call("HGETALL", key),
        b"set": lambda key: link.call("SMEMBERS", key),
        b"zset": lambda key: link.call("ZRANGE", key, 0, -1, "WITHSCORES"),
        b"list": lambda key: link.call("LRANGE", key, 0, -1),
        b"stream": lambda key: link.call("XRANGE", key, "-", "+"),
    }
    try:
        found = [(key, readers[link.call("TYPE", key)](key)) for key in link.call("KEYS", "*")]
    finally:
        link.close()
    return repr(found).encode()


def test_a_token_is_made_listed_used_and_revoked(settings: Settings, served: ServedGateway) -> None:
    assert "token create" in runtally(settings, "list").stdout
    text = made(settings, "crm [x]", "--scope", "ingest", "--scope", "ingest", "--client", "a", "--client", "b", "--source", "/crm")
    other = json.loads(made(settings, "board", "--scope", "read", "--expires-days", "30", "--json"))

    assert post(served.url, text).status_code == 202
    assert post(served.url, text, EVENT | {"subject": f"{RUN}-c"}).status_code == 403
    assert post(served.url, text, EVENT | {"source": "/other"}).status_code == 403
    assert post(served.url, other["token"]).json()["code"] == "scope-missing"

    shown = runtally(settings, "list").stdout
    first, second = (json.loads(line) for line in runtally(settings, "list", "--json").stdout.splitlines())
    assert "crm [x]" in shown
    assert [first["id"], first["scopes"], first["clients"], first["sources"], first["expires"]] == [
        id_of(text),
        ["ingest"],
        ["a", "b"],
        ["/crm"],
        None,
    ]
    assert (second["id"], second["name"], second["expired"]) == (other["id"], "board", False)
    assert other["expires"] > other["created"]
    assert "digest" not in first

    revoked = runtally(settings, "revoke", first["id"])
    assert (revoked.returncode, "5 s" in revoked.stdout) == (0, True)
    status_becomes(401, served.url, text)
    assert post(served.url, text).json()["code"] == "token-unknown"
    assert runtally(settings, "revoke", other["token"], "--json").stdout == '{"revoked": true}\n'
    assert runtally(settings, "list", "--json").stdout == ""


def test_an_expired_token_is_refused(settings: Settings, served: ServedGateway, new_token: Callable[..., str]) -> None:
    text = new_token("ingest", expires_ms=time.time_ns() // 1_000_000 + 1_500)
    assert post(served.url, text).status_code == 202
    status_becomes(401, served.url, text)
    assert post(served.url, text).json()["code"] == "token-expired"
    assert "(over)" in runtally(settings, "list").stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["create", "crm"], "--scope"),
        (["create", "crm", "--scope", "all"], "operate"),
        (["create", "", "--scope", "ingest"], "NAME"),
        (["create", "a\nb", "--scope", "ingest"], "NAME"),
        (["create", "crm", "--scope", "ingest", "--client", " "], "--client"),
        (["create", "crm", "--scope", "ingest", "--source", "/"], "--source"),
        (["create", "crm", "--scope", "ingest", "--expires-days", "0"], "--expires-days"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_to_mend(settings: Settings, words: list[str], named: str) -> None:
    refused = runtally(settings, *words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr
    assert runtally(settings, "list", "--json").stdout == ""


def test_revoking_what_there_is_not_names_the_list_and_repeats_nothing(settings: Settings) -> None:
    refused = runtally(settings, "revoke", "part-of-a-secret")
    assert refused.returncode == 1
    assert "runtally token list" in refused.stderr
    assert "part-of-a-secret" not in refused.stdout + refused.stderr


def test_without_redis_the_next_step_is_named(make_settings: Callable[..., Settings]) -> None:
    refused = runtally(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}"), "list")
    assert refused.returncode == 2
    assert "RUNTALLY_REDIS_URL" in refused.stderr


def test_a_tokens_text_stands_in_no_log_line_no_answer_and_nowhere_in_redis(settings: Settings, tmp_path: Path) -> None:
    text = made(settings, "canary", "--scope", "ingest")
    gone = made(settings, "gone", "--scope", "ingest")
    runtally(settings, "revoke", gone)
    secrets = [text.rpartition(f"{id_of(text)}_")[2], gone.rpartition(f"{id_of(gone)}_")[2]]
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = tmp_path / "log"
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-c", AT_DEBUG, str(port)], env=environment(settings), stderr=out) as web:
        try:
            answers = asked(url, text, gone)
        finally:
            web.terminate()
    told = b"".join(answer.content + repr(answer.headers).encode() for answer in answers)
    assert [answer.status_code for answer in answers] == [202, 401, 401, 401, 422, 415, 404, 405]
    kept = everything_in(settings)
    logged = log.read_bytes()
    assert b"canary" in kept
    assert keys.TOKENS.encode() in kept
    assert b"token-unknown" in logged
    for secret in secrets:
        assert secret.encode() not in told
        assert secret.encode() not in kept
        assert secret.encode() not in logged


def asked(url: str, text: str, gone: str) -> list[httpx.Response]:
    """What a gateway answers to the token in its place and out of it."""
    deadline = time.monotonic() + 3 * DEADLINE_S  # a process of its own, that imports everything
    while True:
        try:
            first = post(url, text)
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.05)
    bearer = {"Authorization": f"Bearer {text}"}
    return [
        first,
        post(url, gone),
        post(url, text + "x"),
        httpx.post(f"{url}/v1/events", json=EVENT, headers={"Authorization": f"Basic {text}"}),
        post(url, text, EVENT | {"type": "unknown"}),
        httpx.post(f"{url}/v1/events", content=b"x", headers={**bearer, "Content-Type": "text/plain"}),
        httpx.get(f"{url}/v1/nothing", headers=bearer),
        httpx.get(f"{url}/v1/events", headers=bearer),
    ]
