"""The example of webhook handlers runs as it stands, in the gateway that `runtally web` serves, and docs/webhooks.md tells the truth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from contract.settings import Settings, load_settings
from contract.status import Status
from producers.gateway.strict_json import strict_json
from producers.gateway.webhooks.apify.payload import read_event
from tests.server.counted_runs import runs

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
SECRET = "a-shared-secret-0123"
DEADLINE_S = 60


@pytest.fixture
def url(settings: Settings, tmp_path: Path) -> Iterator[str]:
    environment = {
        **os.environ,
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_WEBHOOK_SECRETS": json.dumps({"acme": [SECRET]}),
        "RUNTALLY_HANDLERS": "examples.webhook_handlers",
        "PYTHONPATH": str(ROOT),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        served = subprocess.Popen([sys.executable, "-m", "cli.main", "web", "--port", "0"], env=environment, cwd=ROOT, stderr=output)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text("utf-8"))):
            assert served.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.05)
        yield found[0]
    finally:
        served.terminate()
        served.wait(DEADLINE_S)


def test_the_handlers(url: str, settings: Settings) -> None:
    def post(path: str, body: object) -> dict[str, object]:
        answer = httpx.post(f"{url}/webhooks/{path}", json=body, headers={"X-Webhook-Secret": SECRET}, timeout=DEADLINE_S)
        assert answer.status_code == 202, answer.text
        return {name: number for name, number in answer.json().items() if name != "run_id"}

    leads = [{"email": "ada@example.com"}, {"name": "nobody"}, {"email": "grace@example.com"}]
    assert post("leads", leads) == {"received": 3, "accepted": 2, "failed": 0, "skipped": 1}
    profiles = [{"email": "ada@example.com", "title": "Countess"}, {"email": "edsger@example.com"}]
    assert post("profiles", profiles) == {"received": 2, "accepted": 1, "failed": 1, "skipped": 0}

    found = {job.job_type: client for job, (client,) in runs(settings)}
    assert found["webhook_leads"].skips == {"NO_CONTENT": 1}
    assert "KeyError" in found["webhook_profiles"].errors[0]
    assert {client.status for client in found.values()} == {Status.COMPLETED}


def test_the_documents_templates_are_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    (template,) = re.findall(r"```json\n(.*?)```", DOC, re.DOTALL)
    (text,) = re.findall(r"RUNTALLY_WEBHOOK_SECRETS='(.*?)'", DOC, re.DOTALL)
    monkeypatch.setenv("RUNTALLY_WEBHOOK_SECRETS", text)
    assert {owner: len(found) for owner, found in load_settings(_env_file=None).webhook_secrets.items()} == {"acme": 2, "*": 1}
    values = {
        "eventType": '"ACTOR.RUN.SUCCEEDED"',
        "createdAt": '"2025-09-30T14:30:00.500Z"',
        "eventData": '{"actorRunId": "aB3dE5fG7hJ9kL1mN"}',
        "resource": '{"id": "aB3dE5fG7hJ9kL1mN", "startedAt": "2025-09-30T14:15:22.123Z", "usageTotalUsd": 0.1}',
        "userId": '"u"',
    }
    event = read_event(strict_json(re.sub(r"\{\{(\w+)\}\}", lambda name: values[name[1]], template).encode(), exact=True))
    assert event is not None
    assert (event.client, event.run_id, event.posts, str(event.cost)) == ("acme", "250930-141522", 1234, "0.1")


def test_every_link_of_the_document_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", DOC):
        assert (ROOT / "docs" / target).exists(), target
