"""Redis fails over twice under load, to a replica that lacks its tail: what was replicated is there, the rest is sent again."""

from __future__ import annotations

from faults.service.failed_over import fail_over_for

SEED = 5


def test_what_a_replica_has_outlives_failovers_and_the_rest_is_sent_again() -> None:
    verdict = fail_over_for(1, seed=SEED, producers=1)
    assert verdict["ok"], str(verdict)
    assert verdict["details"]["resent"] > 0, "nothing that was unconfirmed was lost with the old master"
