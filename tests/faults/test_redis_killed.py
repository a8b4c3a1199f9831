"""Redis killed with SIGKILL and restarted under load, with `fsynced`: with all that it had written, and without its tail."""

from __future__ import annotations

from typing import Any

from faults.episode import Scene, play, scene
from faults.service.redis_killed import kill_and_restart
from faults.tail import KEEP_ONE_FILE, lose_tail

SEED = 5


def test_redis_killed_and_restarted_under_load_loses_and_doubles_nothing() -> None:
    def breaking(place: Scene) -> None:
        for _ in range(2):
            place.pause(0.3)
            kill_and_restart(place, down_s=0.2)

    with scene(seed=SEED, delivery="fsynced") as place:
        verdict: dict[str, Any] = play("redis killed", place, breaking, seed=SEED)
    assert verdict["ok"], str(verdict)


def test_what_was_confirmed_outlives_a_lost_tail_and_the_rest_is_sent_again() -> None:
    lost_bytes = []

    def breaking(place: Scene) -> None:
        # Once while producers and workers are idle, once while they are not.
        for quiet in (True, False):
            place.pause(0.3)
            lost_bytes.append(lose_tail(place, tail_s=0.3, share=1.0 if quiet else 0.6, quiet=quiet))

    with scene(seed=SEED, producers=1, delivery="fsynced", extra=(KEEP_ONE_FILE,)) as place:
        verdict: dict[str, Any] = play("tail lost", place, breaking, seed=SEED)
    assert verdict["ok"], str(verdict)
    assert min(lost_bytes) > 0
    assert verdict["details"]["resent"] > 0, "nothing that was unconfirmed was in the lost tail"
