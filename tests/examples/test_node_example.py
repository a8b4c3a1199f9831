"""examples/node/emit.mjs, while the gateway is ended twice in the middle: each event counts once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from tests.server.gateway.conftest import folded, new_token
from tests.server.gateway.web_process import ROOT, WebProcess

__all__ = ["folded", "new_token"]

RUN = "250930-141522"
EVENTS = 10_000


@pytest.fixture
def web(settings: Settings, tmp_path: Path) -> Iterator[WebProcess]:
    process = WebProcess(settings, tmp_path / "web.log")
    process.start()
    yield process
    process.end(signal.SIGKILL)


@pytest.mark.skipif(shutil.which("node") is None, reason="NODE IS MISSING: examples/node was not tested")
@pytest.mark.timeout(300)
def test_ten_thousand_events_through_two_ends_of_the_gateway(
    web: WebProcess, new_token: Callable[..., str], folded: Callable[[str], Any]
) -> None:
    environment = {**os.environ, "GATEWAY_URL": web.url, "GATEWAY_TOKEN": new_token("ingest")}
    command = ["node", "examples/node/emit.mjs", RUN, str(EVENTS)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        assert node.stderr is not None
        ends = [(EVENTS // 4, signal.SIGTERM), (EVENTS // 2, signal.SIGKILL)]
        told: dict[str, Any] = {}
        for line in node.stdout:
            told = json.loads(line)
            if ends and told["sent"] >= ends[0][0]:
                assert told["sent"] < EVENTS
                web.end(ends.pop(0)[1])
                web.start(wait=False)
        assert node.wait(60) == 0, node.stderr.read()
    assert not ends
    assert (told["sent"], told["done"]) == (EVENTS, True)
    assert told["retries"] >= 2
    job = folded(RUN)
    (client,) = job["clients"]
    assert (job["status"], job["metrics"], client["client_name"]) == ("Completed", {"Leads Processed": EVENTS}, "Node")
    assert client["events"] == EVENTS + 2
