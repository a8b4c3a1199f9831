"""The web application and the command's own manners."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cli import main as command
from cli.web import application
from contract import errors, keys
from contract.layout import claim_layout
from contract.link import Link
from contract.settings import Settings
from contract.version import __version__
from dashboard import create_app
from embedded import EmbeddedValkey, free_port


def opened(settings: Settings) -> Link:
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    return link


def test_healthz_tells_how_far_the_workers_are_behind(settings: Settings) -> None:
    link = opened(settings)
    claim_layout(link, settings.partitions)
    folded = link.call("XADD", keys.log(1), "*", "batch", "[]").decode()
    link.call("HSET", keys.state(1), "offset", folded, "events", 5, "dead_value", 2, "unknown_metrics", 3)
    link.call("HSET", keys.state(2), "events", 7, "dead_value", 5, "integrity_warnings", 1)
    link.call("ZADD", keys.runs(2), 1, "250930-141522", 1, "250930-141523")
    link.call("ZADD", keys.open_rows(2), 1, "250930-141522", 1, "250930-141522-Jane-Doe", 1, "250930-141523")
    link.call("XADD", keys.log(3), f"{int(time.time() * 1000) - 60_000}-0", "batch", "[]")
    link.call("ZADD", keys.dirty(2), 0, "250930-141522", 0, "250930-141522-Jane-Doe")
    link.call("XADD", keys.dead(0), "*", "reason", "no event")
    link.call("XADD", keys.GATEWAY_DEAD, "*", "reason", "no webhook")
    link.call("HINCRBY", keys.GATEWAY_COUNTERS, "events_taken", 7)

    with TestClient(create_app(settings)) as client:
        answer = client.get("/healthz")

    told = answer.json()
    assert answer.status_code == 200
    assert told["backlog"].pop("oldest_s") == pytest.approx(60, abs=5)
    assert told == {
        "ok": True,
        "redis": True,
        "partitions": settings.partitions,
        "backlog": {"partitions": 1},
        "runs": 2,
        "running": 3,
        "events": 12,
        "dirty": 2,
        "dead": 2,
        "findings": 0,
        "dead_value": 7,
        "unknown_metrics": 3,
        "integrity_warnings": 1,
        "gateway": {"events_taken": 7},
        "reason": "",
        "version": __version__,
    }


def test_healthz_is_503_without_redis_and_recovers(durable_valkey: EmbeddedValkey, make_settings: Callable[..., Settings]) -> None:
    with TestClient(create_app(make_settings(redis_url=durable_valkey.url))) as client:
        assert client.get("/healthz").status_code == 200
        durable_valkey.kill()
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()["redis"]) == (503, False)
        assert durable_valkey.password not in answer.text
        page = client.get("/")
        assert page.status_code == 503
        assert "does not answer" in page.text
        durable_valkey.restart()
        assert client.get("/healthz").status_code == 200


def test_healthz_is_503_with_other_partitions_than_recorded(
    settings: Settings, make_settings: Callable[..., Settings], redis_url: str
) -> None:
    claim_layout(opened(settings), settings.partitions)
    with TestClient(create_app(make_settings(redis_url=redis_url, partitions=3))) as client:
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "Redis was set up with 8 partitions, this service with 3"


def test_the_page_runs_no_script_and_carries_no_style_of_its_own(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        page = client.get("/")
        sheet = client.get("/static/runtally.css")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "<style" not in page.text
    assert 'name="viewport"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert sheet.status_code == 200
    assert "prefers-color-scheme: dark" in sheet.text


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["runtally", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


def test_version_and_help_load_no_subcommand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "COMMANDS", (command.Command("broken", "cli.no_such_module", "broken", "A line of help."),))
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"runtally {__version__}\n"
    assert run(monkeypatch, "--help") == 0
    assert "A line of help." in capsys.readouterr().out


def test_pages_and_gateway_answer_side_by_side(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.setenv("RUNTALLY_REDIS_URL", redis_url)
    with TestClient(application()) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/static/runtally.css").status_code == 200
        wrong_method, no_path = client.get("/v1/events"), client.post("/v1/evens")
    assert (wrong_method.status_code, wrong_method.headers["allow"], wrong_method.json()["code"]) == (405, "POST", "method-not-allowed")
    assert (no_path.status_code, no_path.json()["code"]) == (404, "no-such-path")


def test_an_error_is_one_line_with_the_next_step_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNTALLY_REDIS_ULR", "redis://elsewhere")
    assert run(monkeypatch, "web", "--port", str(free_port())) == command.EXIT_ERROR
    told = capsys.readouterr().err
    assert told.startswith("runtally: unknown setting RUNTALLY_REDIS_ULR")
    assert "Mend the environment" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("setting", "text", "told"),
    [
        ("RUNTALLY_LINEAGE_FILE", '[complete]\n"Tasks Completed" = 1', "there is no metric 'Tasks Completed'"),
        ("RUNTALLY_METRICS_FILE", "[metrics.errors]\ntype = 'sum'", "file.toml"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_gateway_with_a_clear_line(  # fixtures and cases
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, setting: str, text: str, told: str
) -> None:
    file = tmp_path / "file.toml"
    file.write_text(text)
    monkeypatch.setenv(setting, str(file))
    assert run(monkeypatch, "web", "--port", str(free_port())) == command.EXIT_ERROR
    complaint = capsys.readouterr().err
    assert complaint.startswith("runtally: ")
    assert complaint.count("\n") == 2, "what is wrong, and the next step"
    assert told in complaint


@pytest.mark.parametrize(("missing", "extra"), [("typer", "cli"), ("fastapi", "web"), ("celery.app", "worker")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str, extra: str) -> None:
    def absent(words: object) -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(command, "build_app", absent)
    assert run(monkeypatch, "web") == command.EXIT_ERROR
    assert f"pip install 'runtally[{extra}]'" in capsys.readouterr().err


def test_every_error_with_a_next_step_is_known() -> None:
    assert all(issubclass(kind, errors.RuntallyError) and step for kind, step in command.NEXT_STEPS)
