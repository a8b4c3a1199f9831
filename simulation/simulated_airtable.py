"""The way to the model of Airtable: when a request lands, and what its sender sees of it, is told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear
from simulation import theatre
from worker.flush.airtable import Found, Record
from worker.flush.answers import RateExceeded, Unanswered

_LANDS_WITHIN_S = 60.0
"""How long after its sender gave up a request may still land."""


class SimulatedAirtable:
    """What worker/flush/airtable.py offers the flush, against the model: each request is sent, lands, and is answered or not."""

    request_s = 25.0

    def __init__(self, *_: object) -> None:
        """Takes what the real one takes."""

    def close(self) -> None:
        """Nothing to close."""

    def upsert(self, table: str, records: Sequence[Record], key_field: str, *, typecast: bool = False) -> list[str]:
        del typecast
        world, actor = theatre.world(), theatre.actor()
        if not world.quiet and world.rng.random() < max(world.mix.p_freeze, world.mix.p_ambush / 4):
            # Between its last look at the lease and the sending is where a freeze hurts most.
            world.faults.freeze(actor)
        world.pause()
        shown = ", ".join(f"{record.fields[key_field]} ({record.fields.get('Leads Processed')})" for record in records)
        mix, roll = world.mix, world.rng.random()
        if not world.quiet and roll < mix.p_busy:
            self._busy(shown)
        answer: list[list[str] | AirtableRejected] = []

        def land() -> None:
            try:
                answer.append(world.airtable.upsert(table, records, key_field))
            except AirtableRejected as refusal:
                answer.append(refusal)

        if not world.quiet and roll < mix.p_busy + mix.p_unclear:
            self._unclear(shown, land)
        on_its_way_s = world.rng.choice((0.05, 0.5, 4.0)) * world.rng.random()
        world.later(on_its_way_s, f"Airtable writes {shown}", land)
        world.pause(on_its_way_s + world.rng.random() * 0.1)
        if isinstance(answer[0], AirtableRejected):
            raise answer[0]
        return answer[0]

    def find(self, table: str, key_field: str, key: str) -> list[Found]:
        """Only asked for when several records have one key, which the ledger reports anyway."""
        raise NotImplementedError(f"duplicates of {key} in {table}.{key_field}")

    def delete(self, table: str, record_ids: Sequence[str]) -> None:
        """As `find`."""
        raise NotImplementedError(f"delete {record_ids} in {table}")

    @staticmethod
    def _busy(shown: str) -> None:
        world = theatre.world()
        world.pause(0.1)
        if world.rng.random() < 0.3:
            world.note(f"Airtable: 429 to {shown}")
            raise RateExceeded("429", 30.0)
        world.note(f"Airtable: 503 to {shown}")
        raise AirtableBusy("503", 1.0)

    def _unclear(self, shown: str, land: Any) -> None:
        """An error after or before it was applied; a reset or a timeout, after which it may land much later or never."""
        world = theatre.world()
        if world.rng.random() < 0.3:
            if world.rng.random() < 0.5:
                world.later(0.05, f"Airtable writes {shown} and answers 500", land)
            world.pause(0.1)
            raise AirtableUnclear("500")
        gave_up_s = world.rng.choice((0.1, self.request_s))
        if world.rng.random() < 0.7:
            delay_s = world.rng.random() * (gave_up_s + world.rng.choice((0.0, _LANDS_WITHIN_S)))
            world.later(delay_s, f"Airtable writes, unseen: {shown}", land)
        world.note(f"Airtable: no answer for {gave_up_s}s to {shown}")
        world.pause(gave_up_s)
        if not world.quiet and world.mix.p_ambush and world.rng.random() < world.mix.p_ambush:
            world.faults.ambush(theatre.actor())
        raise Unanswered("timeout")
