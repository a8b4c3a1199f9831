"""A dead letter sent again is folded exactly once, whatever happens in between, and what still cannot be used comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.errors import LetterInvalid, StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from contract.status import Status
from tests.building import REGISTRY, RUN, wire
from worker.consume import Consumer
from worker.dead import DeadLetter, DeadLetters, Retry, Wanted, again
from worker.dead.letter import LetterId, from_entry, letter_id
from worker.rows import from_hash

ROOT = Path(__file__).parents[2]
BASE = "app00000000000000"
PARTITION = keys.partition_of(RUN, 8)


class Desk:
    """A log to append to, a worker that folds it, the letters that come of it, and their retry."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.link = Link(settings.redis_url.get_secret_value(), name="test")
        self.link.open()
        self.letters = DeadLetters(self.link, settings.partitions, BASE)
        self.retry = Retry(self.link, settings.partitions, REGISTRY, self.letters)

    def send(self, *events: bytes, run: str = RUN) -> list[DeadLetter]:
        """Append and fold; all letters, oldest first."""
        self.link.call("XADD", keys.log(keys.partition_of(run, 8)), "*", "batch", b"[" + b",".join(events) + b"]")
        return self.fold()

    def fold(self) -> list[DeadLetter]:
        for partition in range(8):
            Consumer(self.settings, REGISTRY, partition).turn()
        return list(self.letters.find(Wanted()))[::-1]

    def row(self, client: str | None, run: str = RUN) -> Any:
        row_id = run if client is None else f"{run}-{client}"
        reply = self.link.call("HGETALL", keys.row(keys.partition_of(run, 8), row_id))
        return from_hash(dict(zip(reply[::2], reply[1::2], strict=True)), REGISTRY.decimals)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    desk = Desk(settings)
    yield desk
    desk.link.close()


def test_a_value_is_sent_alone_with_the_time_of_its_event(desk: Desk) -> None:
    (letter,) = desk.send(wire("client.metrics.updated", id="e", at=60, metrics={"errors": "many", "leads_processed": 5}))
    assert desk.retry.fault(letter) == letter.reason
    assert desk.retry.fault(letter, '{"errors": 3}') is None
    desk.retry.send(letter, '{"errors": 3}')
    assert desk.fold() == []
    assert desk.row("a").metrics == {"Leads Processed": 5, "Errors": 3}
    assert desk.row("a").end == datetime.fromisoformat("2025-09-30T12:01:00Z")


def test_a_total_is_sent_as_a_total_and_a_skip_as_a_skip(desk: Desk) -> None:
    total, skip = desk.send(
        wire("client.metrics.updated", id="1", metrics={"leads_processed": 5}),
        wire("client.metrics.updated", id="2", totals={"leads_processed": "x"}, skips={"QUOTA": "y"}),
    )
    desk.retry.send(total, '{"leads_processed": 9}')
    desk.retry.send(skip, '{"QUOTA": 2}')
    assert desk.fold() == []
    assert desk.row("a").metrics["Leads Processed"] == 9
    assert desk.row("a").skips == {"QUOTA": 2}


def test_a_status_is_sent_as_a_completion(desk: Desk) -> None:
    client, job = desk.send(
        wire("client.metrics.updated", id="1", metrics={"leads_processed": 5, "Status": "Finito"}),
        wire("job.completed", None, id="2", status="Finito"),
    )
    with pytest.raises(LetterInvalid, match='"status"'):
        desk.retry.send(client, '{"leads_processed": 1}')
    desk.retry.send(client, '{"status": "Completed"}')
    desk.retry.send(job, '{"status": "Failed: Finito"}')
    assert desk.fold() == []
    assert desk.row("a").status is Status.COMPLETED
    assert desk.row(None).status is Status.FAILED


def test_a_field_is_sent_as_what_it_says_of_the_row(desk: Desk) -> None:
    failed, noted, job = desk.send(
        wire("client.run.completed", sequence=1, success="maybe", totals={"leads_processed": 5}),
        wire("client.metrics.updated", sequence=2, note=["late"]),
        wire("job.started", None, sequence=3, stream="second"),
    )
    assert desk.row("a").status is Status.RUNNING
    for letter, edit in ((failed, '{"success": false}'), (noted, '{"note": "late"}'), (job, '{"stream": 2}')):
        desk.retry.send(letter, edit=edit)
    assert desk.fold() == []
    assert desk.row("a").status is Status.FAILED
    assert desk.row("a").notes[-1].endswith("Z] late")
    assert desk.row(None).stream == 2
    with pytest.raises(LetterInvalid, match="note: "):
        again(DeadLetter(LetterId(1, 0, "3"), "event", "r", {}, wire("job.completed", None, id="x", note=5).decode()))


def test_an_event_is_sent_as_it_is_or_edited_and_a_legacy_subject_is_converted(desk: Desk) -> None:
    other = "250929-094802"
    legacy = wire("client.metrics.updated", id="1", metrics={"errors": 1}).replace(
        f'"{RUN}-a"'.encode(), b'"job_post_scoring_stream1_20250929094802"'
    )
    broken = wire("client.metrics.updated", id="2", metrics={"errors": 2}).replace(b'"1.0"', b'"0.3"')
    first, second = desk.send(legacy, broken)
    assert (first.kind, second.kind) == ("event", "event")
    with pytest.raises(LetterInvalid, match="mend it with --edit"):
        desk.retry.send(second)
    desk.retry.send(second, second.text.replace("0.3", "1.0"))
    desk.retry.send(first, subject=f"{other}-b")
    assert desk.fold() == []
    assert desk.row("a").metrics == {"Errors": 2}
    assert desk.row("b", other).metrics == {"Errors": 1}


def test_an_event_in_the_wrong_partition_goes_to_its_own(desk: Desk) -> None:
    elsewhere = next(run for run in (f"250930-1415{n:02d}" for n in range(60)) if keys.partition_of(run, 8) != PARTITION)
    (letter,) = desk.send(wire("client.metrics.updated", id="1", run=elsewhere, metrics={"errors": 1}))
    assert "belongs to partition" in letter.reason
    desk.retry.send(letter)
    assert desk.fold() == []
    assert desk.row("a", elsewhere).metrics == {"Errors": 1}


def test_a_jobs_metric_needs_a_client(desk: Desk) -> None:
    (letter,) = desk.send(wire("job.started", None, id="1", totals={"errors": 4}))
    with pytest.raises(LetterInvalid, match=f"--subject {RUN}-CLIENT"):
        desk.retry.send(letter)
    desk.retry.send(letter, subject=f"{RUN}-a")
    assert desk.fold() == []
    assert desk.row("a").metrics == {"Errors": 4}


def test_dying_between_append_and_delete_counts_once_however_often(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (letter,) = desk.send(wire("client.metrics.updated", id="e", metrics={"errors": "many"}))

    def cut(*_: object) -> bool:
        raise StoreUnavailable("cut")

    with monkeypatch.context() as patched:
        patched.setattr(desk.letters, "drop", cut)
        for edit in ('{"errors": 3}', '{"errors": 3}', '{"errors": 40}'):
            with pytest.raises(StoreUnavailable):
                desk.retry.send(letter, edit)
            assert desk.fold() == [letter]
        with pytest.raises(StoreUnavailable):
            desk.retry.send(letter, '{"errors": 3}', subject=f"{RUN}-b")
        assert desk.fold() == [letter]
        assert desk.link.call("EXISTS", keys.row(PARTITION, f"{RUN}-b")) == 0, "another subject makes no other event of it"
    desk.retry.send(letter, '{"errors": 3}')
    desk.retry.send(letter, '{"errors": 3}')
    assert desk.fold() == []
    assert desk.row("a").metrics == {"Errors": 3}


DIES = """
import os, signal, sys
import cli.main
from worker.dead.letters import DeadLetters
DeadLetters.drop = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv[0] = "runtally"
cli.main.main()
"""


def test_a_command_killed_between_append_and_delete_may_be_given_again(desk: Desk) -> None:
    (letter,) = desk.send(wire("client.metrics.updated", id="e", metrics={"errors": "many"}))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RUNTALLY_REDIS_URL": desk.settings.redis_url.get_secret_value()}
    words = ["dead", "retry", str(letter.id), "--edit", '{"errors": 3}']
    killed = subprocess.run([sys.executable, "-c", DIES, *words], env=environment, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert desk.fold() == [letter]
    assert desk.row("a").metrics == {"Errors": 3}, "it was appended before it died"
    done = subprocess.run([sys.executable, "-m", "cli.main", *words], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert desk.fold() == []
    assert desk.row("a").metrics == {"Errors": 3}


def test_what_fails_again_comes_back_and_all_that_was_there_is_tried_once(desk: Desk) -> None:
    letters = desk.send(*[wire("client.metrics.updated", id=f"{n}", metrics={"errors": "many"}) for n in range(120)])
    assert len(letters) == 120
    for letter in desk.letters.find(Wanted(kind="value")):
        desk.retry.send(letter)
        Consumer(desk.settings, REGISTRY, PARTITION).turn()
    back = desk.fold()
    assert len(back) == 120
    assert {letter.id for letter in back}.isdisjoint(letter.id for letter in letters)
    assert back[0].origin["source"] == "/dead-letters"
    desk.retry.send(back[0], '{"errors": 1}')
    assert len(desk.fold()) == 119
    assert desk.row("a").metrics == {"Errors": 1}


def test_the_same_entry_id_for_another_letter_is_another_event() -> None:
    """A Redis that lost its tail gives an ID again."""
    fields = [b"kind", b"value", b"reason", b"r", b"origin", json.dumps({"subject": f"{RUN}-a"}).encode(), b"letter"]
    one, other = (from_entry("3", b"1-0", [*fields, text]) for text in (b'{"errors": 1}', b'{"errors": 2}'))
    assert again(one).id != again(other).id
    assert again(one).id == again(one, '{"errors": 5}').id == again(from_entry("3", b"1-0", [*fields, b'{"errors": 1}'])).id


def test_what_airtable_refused_is_written_again_from_its_row(desk: Desk) -> None:
    desk.send(wire("client.metrics.updated", id="1", metrics={"errors": 1}))
    stream = keys.flush_dead(BASE)
    for row_id in (f"{RUN}-a", f"{RUN}-gone"):
        origin = json.dumps({"row": row_id, "table": "Client Run Results", "field": "Errors", "value": "1"})
        desk.link.call("XADD", stream, "*", "reason", "422", "origin", origin, "letter", '{"Errors": 1}')
    desk.link.call("DEL", keys.dirty(PARTITION))
    refused, gone = list(desk.letters.find(Wanted(kind="field")))[::-1]
    assert (refused.about.client, refused.id.place) == ("a", "air")
    with pytest.raises(LetterInvalid, match="written again from its row"):
        desk.retry.send(refused, '{"Errors": 2}')
    desk.retry.send(refused)
    with pytest.raises(LetterInvalid, match="is gone"):
        desk.retry.send(gone)
    assert desk.link.call("ZRANGE", keys.dirty(PARTITION), 0, -1) == [f"{RUN}-a".encode()]
    assert list(desk.letters.find(Wanted())) == [gone]


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("event", "[]", "these are 0"),
        ("event", "[{},{}]", "these are 2"),
        ("event", "\x00", "not a JSON array"),
        ("value", "[1]", "JSON object"),
        ("value", "{}", "JSON object"),
        ("value", "[" * 100_000, "not JSON"),
        ("status", '"Completed"', "JSON object"),
        ("row", "{}", "cannot be sent as an event"),
        ("value", '{"errors": 1}', "is no run ID"),
    ],
)
def test_what_cannot_be_sent_says_why(kind: str, text: str, reason: str) -> None:
    with pytest.raises(LetterInvalid, match=reason):
        again(DeadLetter(LetterId(1, 0, "3"), kind, "r", {}, text))


@pytest.mark.parametrize("text", ["", "3", "3:1", "x:1-0", "3:1-0-0", "3:-1-0", "99999:1-0"])
def test_what_is_no_letters_id_is_refused(text: str) -> None:
    with pytest.raises(LetterInvalid):
        letter_id(text)
