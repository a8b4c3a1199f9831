"""`runtally spool list|drain`, as a person uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from contract import keys
from contract.settings import Settings
from producers.publisher import Publisher
from producers.spool.folder import ABOUT, about, folders, target_of
from tests.building import REGISTRY
from worker.consume import Consumer

ROOT = Path(__file__).parents[2]
RUN = "250930-141522"
NOWHERE = "redis://127.0.0.1:1/0"


def runtally(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "140",
    }
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "spool", *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def leave(make_settings: Any, number: int) -> None:
    """What a publisher leaves that never reached Redis."""
    publisher = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    for _ in range(number):
        publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": 1}})
    assert publisher.close() == 0


def test_an_empty_spool_is_well(settings: Settings) -> None:
    listed = runtally(settings, "list")
    assert listed.returncode == 0, listed.stderr
    assert "nothing waits" in listed.stdout
    drained = runtally(settings, "drain", "--json")
    assert (drained.returncode, json.loads(drained.stdout)) == (0, {"sent": 0, "left": []})


def test_what_dead_publishers_left_is_listed_and_sent(settings: Settings, make_settings: Any) -> None:
    leave(make_settings, 1_500)
    leave(make_settings, 10)
    listed = runtally(settings, "list")
    assert listed.returncode == 1, listed.stderr
    assert "1,500" in listed.stdout
    assert "127.0.0.1:1/0" in listed.stdout
    refused = runtally(settings, "drain")
    assert refused.returncode == 1
    assert "nothing to send" in refused.stdout
    path = next(folders(settings.spool_dir))
    (path / ABOUT).write_text(json.dumps(about(target_of(settings.redis_url.get_secret_value()), settings.partitions)))
    one = runtally(settings, "drain", "--json")
    assert one.returncode == 1
    assert len(json.loads(one.stdout)["left"]) == 1
    drained = runtally(settings, "drain", "--any-target")
    assert (drained.returncode, drained.stdout.strip()[-11:]) == (0, "events sent"), drained.stderr
    assert list(folders(settings.spool_dir)) == []
    consumer = Consumer(settings, REGISTRY, keys.partition_of(RUN, settings.partitions))
    assert consumer.turn().events == 1_510
    consumer.close()


def test_a_live_publisher_is_listed_and_left_alone(settings: Settings, make_settings: Any) -> None:
    publisher = Publisher(make_settings(redis_url=NOWHERE, drain_timeout_s=0))
    assert publisher.emit("client.metrics.updated", {"run_id": RUN, "client_id": "a", "metrics": {"errors": 1}}, durable=True)
    listed = runtally(settings, "list", "--json")
    assert listed.returncode == 0
    (one,) = (json.loads(line) for line in listed.stdout.splitlines())
    assert (one["state"], one["events"], one["pid"]) == ("live", 1, os.getpid())
    assert runtally(settings, "drain", "--any-target").stdout.strip() == "nothing to send"
    publisher.close()


def test_damage_is_set_aside_and_listed(settings: Settings, make_settings: Any) -> None:
    leave(make_settings, 1_500)
    (segment,) = settings.spool_dir.glob("*/*.seg")
    content = bytearray(segment.read_bytes())
    content[60] ^= 255
    segment.write_bytes(content)
    drained = runtally(settings, "drain", "--any-target", "--json")
    assert drained.returncode == 1
    told = json.loads(drained.stdout)
    assert told["sent"] == 1_000
    assert told["left"][0]["state"] == "damaged"
    assert told["left"][0]["damages"] == ["the checksum does not match"]


def test_without_redis_drain_says_so_and_leaves_all(settings: Settings, make_settings: Any) -> None:
    leave(make_settings, 10)
    away = make_settings(redis_url=NOWHERE)
    drained = runtally(away, "drain")
    assert drained.returncode == 2
    assert "cannot connect to Redis" in drained.stderr
    assert runtally(away, "list").returncode == 1


TERMINATED = """
import os, signal
from contract.settings import load_settings
from producers.draining import drain
from producers.publish.outbox import Outbox

adopt = Outbox.adopt

def terminated(own, limit, *, any_target=False):
    assert own.lock.locked()
    os.kill(os.getpid(), signal.SIGTERM)
    return adopt(own, limit, any_target=any_target)

Outbox.adopt = terminated
for sent in drain(load_settings(), any_target=True):
    print(sent, flush=True)
print("not to be reached", flush=True)
"""


def test_sigterm_in_the_midst_of_a_drain_ends_it_after_a_round_trip_and_loses_nothing(settings: Settings, make_settings: Any) -> None:
    leave(make_settings, 10)
    environment = {
        **os.environ,
        "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(),
        "RUNTALLY_SPOOL_DIR": str(settings.spool_dir),
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run([sys.executable, "-c", TERMINATED], env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "")
    drained = runtally(settings, "drain", "--any-target", "--json")
    assert drained.returncode == 0
    assert json.loads(drained.stdout)["left"] == []
    consumer = Consumer(settings, REGISTRY, keys.partition_of(RUN, settings.partitions))
    assert consumer.turn().events == 10
    consumer.close()
