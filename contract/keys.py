"""Every Redis key, in one place. Nothing else builds a key name.

Glossary: each function's docstring says type, content, writer and lifetime. All keys of a run share the hash tag of its
partition (`{p003}`), so that one commit touches one slot of a Redis or Valkey Cluster.

A *row ID* is the standard run ID: `250930-141522` for a job, `250930-141522-<client>` for a client run.
"""

from __future__ import annotations

from binascii import crc32
from urllib.parse import quote

LAYOUT = 1
"""Version of the key layout and of what the keys hold. Recorded in Redis at first use; another version is refused."""

META = "rt:meta"
"""HASH `layout`, `partitions` -> int. Written once by whoever connects first; lives for ever."""

BELL = "rt:bell"
"""ZSET of partition numbers that have something to fold (score: 0). Added by publishers after an append, popped by
one worker; at most one member a partition. Losing it costs a beat tick."""

VERIFY = "rt:verify"
"""HASH of beat's checks: `after` -> last run checked, `checked_ms` when that was, `runs` checked in that turn, `findings` told so far.
Written by them only; lives for ever."""

VERIFY_FOUND = "rt:verify:found"
"""HASH finding (JSON: kind, place, run, client, what) -> ms when it was first found: what is wrong now, as far as beat's checks know.
Bounded; lives for ever."""

LOCKS_HELD = "rt:{locks}:held"
"""ZSET lock key -> ms at which it ends unless it is renewed. Written by the lock's scripts; what has ended goes with the next taking."""

LOCK_FENCE = "rt:{locks}:fence"
"""STRING last fencing number handed out, of all locks. Written by lock_take; lives for ever."""

TOKENS = "rt:{access}:tokens"
"""HASH token ID -> JSON (name, digest, scopes, clients, sources, expiry). Written by `runtally token`; lives until revoked."""

GATEWAY_COUNTERS = "rt:{gateway}:counters"
"""HASH name -> count, of all gateways together: requests by outcome, refusals by code, events taken; and `dead_dropped`, the letters that
their bound has dropped. Added to by gateways; lives for ever."""

GATEWAY_DEAD = "rt:{gateway}:dead"
"""STREAM of dead letters of webhooks: `kind` (webhook), `reason`, `origin` (JSON: route, caller …) and `letter`. Added by letter_keep;
bounded by about `dead_letters`; deleted by drop."""


def partition_of(run_base: str, partitions: int) -> int:
    """The partition, 0 to `partitions`-1, that carries a run: CRC-32 of its base run ID. Any language can compute it."""
    return crc32(run_base.encode()) % partitions


def _tag(partition: int) -> str:
    return f"rt:{{p{partition:03d}}}"


def log(partition: int) -> str:
    """STREAM, field `batch` -> CloudEvents JSON batch. Appended by publishers; trimmed behind the offset after `log_retention_s`."""
    return f"{_tag(partition)}:log"


def state(partition: int) -> str:
    """HASH `offset` -> ID of the last folded log entry, and counters. Written by commit only; lives for ever."""
    return f"{_tag(partition)}:state"


def watermarks(partition: int) -> str:
    """HASH publisher -> highest sequence folded. Written by commit only; publishers silent for `publisher_memory_s` are dropped."""
    return f"{_tag(partition)}:watermarks"


def publishers(partition: int) -> str:
    """ZSET publisher -> ms of its last folded entry, to find the silent ones. Written by commit only."""
    return f"{_tag(partition)}:publishers"


def ids(partition: int, bucket: int) -> str:
    """SET of 16-character digests of (source, id, subject) first folded in a span of time. Written by commit only; expires with
    its span."""
    return f"{_tag(partition)}:ids:{bucket}"


def row(partition: int, row_id: str) -> str:
    """HASH, one job or client run: `state`, `notes`, `errors`, `progress` (JSON), `v` (version), written by commit only;
    `record` (Airtable record ID), `sent_v` (version in Airtable) and `sent_ms` (when), written by flush only. Goes with all rows of its
    run, when that is retired."""
    return f"{_tag(partition)}:row:{row_id}"


def clients(partition: int, run_base: str) -> str:
    """SET of the client IDs of a job. Written by commit only; goes with the rows."""
    return f"{_tag(partition)}:clients:{run_base}"


def runs(partition: int) -> str:
    """ZSET base run ID -> ms when the server last received an event of it. Written by commit only; goes with the rows, when the run is
    retired: finished, in Airtable (where there is a base), and neither heard of nor written for `retention_s`."""
    return f"{_tag(partition)}:runs"


def retired(partition: int) -> str:
    """ZSET base run ID -> ms when its rows, which had had their time, were deleted: none is made anew by what comes late. Written by
    maintenance, in the script that deletes the rows; remembered for 400 days, and at most 100,000 of them."""
    return f"{_tag(partition)}:retired"


def open_rows(partition: int) -> str:
    """ZSET row ID -> ms of its last sign of life, of rows that are Running. Written by commit only; the sweeper reads it."""
    return f"{_tag(partition)}:open"


def dirty(partition: int) -> str:
    """ZSET row ID -> ms from which it may be written (0: now). Added by commit, removed by flush once the version it wrote is current,
    or with the row."""
    return f"{_tag(partition)}:dirty"


def dead(partition: int) -> str:
    """STREAM of dead letters: `kind` (event, value, status), `reason`, `origin` (JSON: where it stood) and `letter`. Added by commit;
    bounded by about `dead_letters`, with what that drops counted as `dead_dropped` in the state; deleted by retry and drop."""
    return f"{_tag(partition)}:dead"


def marks(partition: int, run_base: str) -> str:
    """HASH of what a batch has finished: `<chunk>:<client>` -> digests of the chunk's leads, 8 bytes each; `finished:<client>`;
    `intended:<chunk>:<client>` -> digests of the leads that the chunk's event counts; `service`; `until_ms`, until when the run may be
    continued. Written by the batch scorer: intents before the counts are told, all else once they are in the log; expires `id_memory_s`
    after it was last written."""
    return f"{_tag(partition)}:marks:{run_base}"


def aside(key: str) -> str:
    """Any type: what stood at a partition's key that has to be of another type. Moved there by commit and move_aside, over what was moved
    there before; lives until a person deletes it."""
    tag, _, name = key.partition("}:")
    return f"{tag}}}:aside:{name}"


def consume_lease(partition: int) -> str:
    """STRING owner token, with expiry: keeps two workers off one partition, for speed only."""
    return f"{_tag(partition)}:lease"


def flush_lease(base_id: str) -> str:
    """STRING owner token, with expiry: who may write to an Airtable base."""
    return f"rt:{{air:{base_id}}}:lease"


def limiter(base_id: str) -> str:
    """ZSET request token -> ms when its place is free again. Written by the limiter's scripts."""
    return f"rt:{{air:{base_id}}}:requests"


def limiter_closed(base_id: str) -> str:
    """STRING ms until which the base refuses (after a 429), with expiry."""
    return f"rt:{{air:{base_id}}}:closed"


def flush_wire(base_id: str) -> str:
    """STRING ticket of the one request that may be on its way to a base, with expiry."""
    return f"rt:{{air:{base_id}}}:wire"


def flush_wire_next(base_id: str) -> str:
    """STRING ticket of the request that goes next, so that senders take turns. Expires when its sender no longer asks."""
    return f"rt:{{air:{base_id}}}:wire-next"


def breaker(base_id: str, name: str) -> str:
    """HASH of a circuit breaker (`away`, `refused-job`, `refused-client`): failures in a row by kind, and once it has opened
    `opened_ms`, `span_ms` (how long it was open last) and `kind`. Written by breaker_tell; gone when Airtable answers, or a day after the
    last failure."""
    return f"rt:{{air:{base_id}}}:breaker:{name}"


def breaker_open(base_id: str, name: str) -> str:
    """STRING kind of failure, exists while nothing may be sent. When it has expired and the breaker's hash has `opened_ms`, one
    request may go, to see (half-open). Written by breaker_tell."""
    return f"rt:{{air:{base_id}}}:breaker:{name}:open"


def flush_month(base_id: str, month: str) -> str:
    """HASH of a calendar month (UTC, `2025-09`): `calls` sent, `paced_ms` (until when its calls are paid for), `told_<percent>` once that
    share of the budget was reported. Written by the limiter and the flush; expires two months after its last call."""
    return f"rt:{{air:{base_id}}}:month:{month}"


def flush_spent(base_id: str) -> str:
    """STRING, exists after Airtable said that the workspace's calls of the month are spent, until it is asked again."""
    return f"rt:{{air:{base_id}}}:spent"


def flush_counters(base_id: str) -> str:
    """HASH counters of the flush (`calls`, `rows_written`, …) and `absent:<table>:<column>` -> ms since when the base lacks it.
    Written by flush only; lives for ever."""
    return f"rt:{{air:{base_id}}}:counters"


def flush_life(base_id: str) -> str:
    """HASH `life`: the server's (run and replication ID) in which the base was last written to; `ends_ms`: until when requests of the one
    before may land. Written by flush only; lives for ever."""
    return f"rt:{{air:{base_id}}}:life"


def flush_again(base_id: str) -> str:
    """ZSET `<partition>:<row ID>` -> ms from which the row is made dirty once more, since a request may land of which nobody can tell.
    Written by flush only; empty most of the time."""
    return f"rt:{{air:{base_id}}}:again"


def flush_partial(base_id: str, table: str, column: str) -> str:
    """SET `<partition>:<row ID>` of rows written without a column that the base lacks: written again once it is back. Written by flush
    only; expires `retention_s` after its last addition, about when those rows go."""
    return f"rt:{{air:{base_id}}}:partial:{table}:{column}"


def flush_dead(base_id: str) -> str:
    """STREAM of fields and rows Airtable refused (`reason`, `origin`, `letter`). Added by flush; bounded by about `dead_letters`, with what
    that drops counted as `dead_dropped` in the counters; deleted by retry and drop."""
    return f"rt:{{air:{base_id}}}:dead"


def periodic(name: str) -> str:
    """STRING, with expiry: this periodic work has begun less than an interval ago."""
    return f"rt:periodic:{name}"


def reserved(run_base: str) -> str:
    """STRING owner, with expiry of a day: a run ID handed out, so that no other machine hands it out again."""
    return f"rt:reserved:{run_base}"


def named_run(kind: str, name: str) -> str:
    """STRING run ID that goes by another name elsewhere (`kind`: whose: `apify`, `celery` …), with expiry. Written by producers, once."""
    return f"rt:named:{quote(kind, safe='')}:{quote(name, safe='')}"


def started(row_id: str) -> str:
    """HASH of a job or client run that was started or completed by a request: `start` (JSON: what it is, what its lock is for), `phase`,
    `by` (which attempt has started it), `fence`, and `outcome/<n>` -> digest of the nth outcome told. Written by the gateway; expires
    `retention_s` after it was last used."""
    return f"rt:started:{quote(row_id, safe='')}"


def lineage(row_id: str) -> str:
    """HASH of a job that OpenLineage told of: `own` if it counted for itself, `end/<event type>` -> event time of how it ended.
    Written by the gateway; expires `retention_s` after its last event of these kinds."""
    return f"rt:lineage:{quote(row_id, safe='')}"


def lineage_totals(partition: int, row_id: str) -> str:
    """ZSET metric -> us since the epoch of the newest OpenLineage event in the log that told the row's total. Written by totals_append,
    along with the event; expires `retention_s` after the last one."""
    return f"{_tag(partition)}:lineage-totals:{row_id}"


def webhook_receipt(digest: str) -> str:
    """STRING what a delivery came to (JSON: run, counts, skips, error), or `?` and a token while it is worked on. Written by the gateway;
    expires after `id_memory_s`, a claim after 10 minutes."""
    return f"rt:webhook:{digest}"


def gateway_letter(digest: str) -> str:
    """STRING, exists while a repeat of what became a dead letter of a webhook makes no other one. Written by letter_keep; expires after
    `id_memory_s`."""
    return f"rt:{{gateway}}:letter:{digest}"


def apify_usage(apify_run_id: str, row_id: str) -> str:
    """LIST of what each event of an Apify run told of its use so far (JSON: kind, posts, cost), in the order in which they came first.
    Written by the gateway; expires `id_memory_s` after the last one."""
    return f"rt:apify:{quote(apify_run_id, safe='')}:{quote(row_id, safe='')}"


def lock(operation: str, stream: int | None = None, client: str | None = None) -> str:
    """HASH `token`, `operation`, `stream` or `client`, `run`, `host`, `pid`, `since_ms`, `fence`: who works on it, so that no other
    starts. Written by the lock's scripts, with expiry; all locks share a slot. Any text gets a key of its own."""
    scope = "" if stream is None else f":stream:{stream}"
    scope += "" if client is None else f":client:{quote(client, safe='')}"
    return f"rt:{{locks}}:lock:{quote(operation, safe='')}{scope}"
