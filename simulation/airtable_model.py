"""A model of Airtable: two tables of records found by key or ID. When a request lands, and what its sender sees of it, is told apart.

Record IDs, refusals and the rule that a request is applied whole or not at all are those of the real one (docs/sandbox.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from contract.errors import AirtableBusy, AirtableRejected, AirtableUnclear
from simulation import theatre
from worker.flush.airtable import Found, Record
from worker.flush.answers import RateExceeded, Unanswered

Fields = dict[str, Any]
_LANDS_WITHIN_S = 60.0
"""How long after its sender gave up a request may still land."""


class AirtableModel:
    """The base. Table -> record ID -> fields."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Fields]] = {}
        self.deleted: set[str] = set()
        """Run IDs of the rows that a person deleted and nobody has written since: those come back with their next change."""
        self._made = 0

    def upsert(self, table: str, records: Sequence[Record], key_field: str) -> list[str]:
        """Write records, all or none. Raises AirtableRejected."""
        there = self.tables.setdefault(table, {})
        for record in records:
            if record.record_id is not None and record.record_id not in there:
                raise _gone(record.record_id)
            for linked in record.fields.get("Job", ()):
                if not any(linked in rows for rows in self.tables.values()):
                    raise _gone(linked)
        return [self._write(there, record, key_field) for record in records]

    def _write(self, there: dict[str, Fields], record: Record, key_field: str) -> str:
        record_id = record.record_id
        if record_id is None:
            found = [known for known, fields in there.items() if fields.get(key_field) == record.fields[key_field]]
            record_id = found[0] if found else self._new_id()
        there.setdefault(record_id, {}).update(record.fields)
        self.deleted.discard(record.fields[key_field])
        return record_id

    def _new_id(self) -> str:
        self._made += 1
        return f"rec{self._made:014d}"

    def delete_one(self, rng: Random) -> None:
        """A person deletes a record; links to it go with it."""
        everywhere = [(table, record_id) for table, rows in self.tables.items() for record_id in rows]
        if everywhere:
            table, record_id = rng.choice(everywhere)
            theatre.world().note(f"a person deletes {record_id} ({self.tables[table][record_id].get('Run ID')})")
            self.deleted.add(self.tables[table].pop(record_id)["Run ID"])
            for rows in self.tables.values():
                for fields in rows.values():
                    if fields.get("Job") == [record_id]:
                        del fields["Job"]

    def by_key(self) -> dict[str, list[Fields]]:
        """Run ID -> the records that have it."""
        found: dict[str, list[Fields]] = {}
        for rows in self.tables.values():
            for fields in rows.values():
                found.setdefault(fields["Run ID"], []).append(fields)
        return found


def _gone(record_id: str) -> AirtableRejected:
    return AirtableRejected(
        f"Airtable answered 422 ROW_DOES_NOT_EXIST: Record ID {record_id} does not exist in this table", 422, "ROW_DOES_NOT_EXIST"
    )


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
