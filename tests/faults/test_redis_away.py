"""Redis away for a while under load: producers emit into their spool, and nothing of it is lost."""

from __future__ import annotations

from faults.episode import play, scene
from faults.service.redis_away import go_away

SEED = 6
AWAY_S = 3.0
BUFFER_EVENTS = 200


def test_what_is_emitted_while_redis_is_away_is_counted_once_when_it_is_back() -> None:
    with scene(seed=SEED, producers=1, buffer_events=BUFFER_EVENTS) as place:
        verdict = play("redis away", place, lambda place: go_away(place, AWAY_S), seed=SEED)
    assert verdict["ok"], str(verdict)
    assert verdict["details"]["spooled"] > 0, "the buffer was large enough: make it smaller"
