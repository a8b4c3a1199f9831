"""`runtally dead`, as a person uses it."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from cli.main import main
from contract import keys
from contract.link import Link
from contract.settings import Settings
from tests.building import REGISTRY, RUN, wire
from worker.consume import Consumer

PARTITION = keys.partition_of(RUN, 8)
SECRET = "the-airtable-token"


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    returncode: int


def runtally(settings: Settings, *words: str, given: str = "") -> Said:
    """The command in this process: a process each would take a second each."""
    environment = {"RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "RUNTALLY_AIRTABLE_TOKEN": SECRET, "COLUMNS": "100"}
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["runtally", "dead", *words])
        patch.setattr(sys, "stdin", io.StringIO(given))
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Said(out.getvalue(), err.getvalue(), code)


def listed(settings: Settings, *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in runtally(settings, "list", "--json", *words).stdout.splitlines()]


def fold(settings: Settings) -> None:
    Consumer(settings, REGISTRY, PARTITION).turn()


@pytest.fixture
def some(settings: Settings) -> Settings:
    """Three values of client a, one status of client b that names the token, one event that is none."""
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    events = [wire("client.metrics.updated", "a", id=f"v{n}", metrics={"errors": f"many {n}"}) for n in range(3)]
    events += [wire("client.run.completed", "b", id="s", status=f"done [bold] {SECRET}"), b'"no event"']
    link.call("XADD", keys.log(PARTITION), "*", "batch", b"[" + b",".join(events) + b"]")
    link.close()
    fold(settings)
    return settings


def test_none_is_a_list_too_and_looking_writes_nothing(settings: Settings) -> None:
    assert runtally(settings, "list").stdout == "no dead letters\n"
    assert listed(settings) == []
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    assert link.call("DBSIZE") == 0
    link.close()


def test_they_are_listed_by_filter_and_page_and_hold_no_secret(some: Settings) -> None:
    shown = runtally(some, "list")
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert "[bold]" in shown.stdout
    assert SECRET not in shown.stdout + json.dumps(listed(some))
    assert len(listed(some)) == 5
    assert [letter["client"] for letter in listed(some, "--kind", "status")] == ["b"]
    assert len(listed(some, "--run", RUN, "--client", "a", "--reason", "MANY", "--since", "1h")) == 3
    page = runtally(some, "list", "--limit", "2")
    assert "more: --before" in page.stdout
    first = [letter["letter"] for letter in listed(some, "--limit", "2")]
    rest = [letter["letter"] for letter in listed(some, "--before", str(first[-1]))]
    assert len({*first, *rest}) == 5


def test_one_is_shown_whole(some: Settings) -> None:
    (status,) = listed(some, "--kind", "status")
    shown = runtally(some, "show", str(status["letter"]))
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= 100
    for text in ("client.run.completed", f"{RUN}-b", "done [bold] ***", "Sent now"):
        assert text in shown.stdout
    assert SECRET not in shown.stdout
    assert json.loads(runtally(some, "show", str(status["letter"]), "--json").stdout)["fault"]
    assert runtally(some, "show", "0:1-0").returncode == 1
    assert runtally(some, "show", "what").returncode == 2


def test_one_is_edited_and_sent_again(some: Settings) -> None:
    letter = str(listed(some, "--kind", "value")[0]["letter"])
    bad = runtally(some, "retry", letter, "--dry-run")
    assert (bad.returncode, bad.stdout) == (1, "0 would be sent again\n")
    assert runtally(some, "retry", letter, "--edit", '{"errors": 4}', "--dry-run").stdout == "1 would be sent again: 1 value\n"
    assert len(listed(some)) == 5, "a dry run changes nothing"
    sent = runtally(some, "retry", letter, "--edit", "-", given='{"errors": 4}')
    assert (sent.returncode, sent.stdout) == (0, "1 sent again: 1 value\n")
    fold(some)
    assert len(listed(some)) == 4
    again = runtally(some, "retry", letter)
    assert again.returncode == 1
    assert "there is no such letter" in again.stderr


def test_many_are_sent_by_filter_after_asking(some: Settings) -> None:
    refused = runtally(some, "retry", "--kind", "value", given="n\n")
    assert refused.returncode == 1
    assert "3 dead letters" in refused.stderr
    dry = runtally(some, "retry", "--client", "a", "--dry-run")
    assert dry.returncode == 1
    assert "3 × " in dry.stderr or dry.stderr.count("1 × ") == 3
    assert len(listed(some)) == 5
    told = [json.loads(line) for line in runtally(some, "retry", "--kind", "value", "--yes", "--json").stdout.splitlines()]
    assert [one["done"] for one in told] == ["sent again"] * 3
    fold(some)
    assert len(listed(some)) == 5, "they failed again, and came back"


def test_they_are_dropped_by_id_or_filter(some: Settings) -> None:
    letters = [str(letter["letter"]) for letter in listed(some, "--kind", "value")]
    assert runtally(some, "drop", letters[0], letters[1]).stdout == "2 dropped: 2 value\n"
    assert runtally(some, "drop", "--client", "b", "--dry-run").stdout == "1 would be dropped: 1 status\n"
    assert len(listed(some)) == 3
    assert runtally(some, "drop", "--client", "b", given="y\n").stdout.endswith("1 dropped: 1 status\n")
    assert runtally(some, "drop", "--all", "--yes").stdout == "2 dropped: 1 event, 1 value\n"
    assert listed(some) == []


def test_what_is_meant_must_be_said(some: Settings) -> None:
    assert runtally(some, "drop", "--yes").returncode == 2
    assert runtally(some, "drop", "0:1-0", "--all").returncode == 2
    assert runtally(some, "list", "--kind", "values").returncode == 2
    assert runtally(some, "list", "--since", "yesterday").returncode == 2
    assert runtally(some, "retry", "--all", "--edit", "{}").returncode == 2
    assert len(listed(some)) == 5
