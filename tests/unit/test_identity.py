"""Of events without a sequence the identity is source, ID and subject; of a dead letter sent again, source and ID."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import SettingsInvalid
from contract.events import Malformed, decode_batch, join_batch
from contract.settings import load_settings
from contract.sources import DEAD_LETTERS, RESERVED
from tests.building import decoded, wire
from worker.fold.needs import digest_of


def digests(*events: bytes) -> list[str]:
    return [digest_of(event) for event in decoded(events)]


def test_each_part_tells_events_apart() -> None:
    sent = [
        wire("client.metrics.updated", "a", id="1"),
        wire("client.metrics.updated", "b", id="1"),
        wire("client.metrics.updated", "a", id="2"),
        wire("client.metrics.updated", "a", id="1", source="/other"),
        wire("job.started", None, id="1"),
    ]
    assert len(set(digests(*sent))) == len(sent)
    assert digests(*sent) == digests(*sent)


def test_no_source_or_id_makes_up_for_another_subject() -> None:
    victim = wire("client.metrics.updated", "b", id="1", source="/s")
    tries = [
        wire("client.metrics.updated", "a", id=id, source=source)
        for source in ("/s", "b\0/s", "/s\0")
        for id in ("1", "b\0/s\x001", "\x001")
    ]
    assert digests(victim)[0] not in digests(*tries)


def test_what_only_shares_source_and_id_with_a_malformed_event_is_another() -> None:
    broken, whole = (wire("client.metrics.updated", client, id="1") for client in ("a", "b"))
    events = decode_batch(join_batch([broken.replace(b'"1.0"', b'"0.3"'), whole]))
    assert isinstance(events[0], Malformed)
    assert digest_of(events[0]) != digest_of(events[1])
    assert digest_of(events[0]) == digests(broken)[0]


def test_a_dead_letter_sent_again_is_known_whatever_its_subject_was_edited_to() -> None:
    assert len(set(digests(*(wire("client.metrics.updated", client, id="0:1-0-x", source=DEAD_LETTERS) for client in ("a", "b"))))) == 1


def test_no_service_speaks_as_runtally_itself() -> None:
    for own in RESERVED:
        with pytest.raises(SettingsInvalid, match=r"RUNTALLY_SERVICE: .*Runtally's own"):
            load_settings(_env_file=None, service=own.strip("/"))


def test_the_docs_name_runtallys_own_sources() -> None:
    told = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text("utf-8")
    assert all(f"`{own}`" in told for own in RESERVED)
