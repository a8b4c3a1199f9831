"""`runtally locks`, as a person uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from contract.settings import Settings
from producers.exclusive import Exclusive, Scope

ROOT = Path(__file__).parents[2]
SCORING = Scope("post_scoring", 1)


def runtally(settings: Settings, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RUNTALLY_REDIS_URL": settings.redis_url.get_secret_value(), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], env=environment, capture_output=True, text=True, timeout=60, check=False, input=answer
    )


def test_locks_are_listed_with_who_holds_them(settings: Settings) -> None:
    assert runtally(settings, "locks", "list").stdout == "no lock is held\n"
    with Exclusive(settings, SCORING, run_id="250930-141522"), Exclusive(settings, Scope("harvest [x]", None, "Jane-Doe")):
        shown = runtally(settings, "locks", "list")
        assert shown.returncode == 0, shown.stderr
        lines = shown.stdout.splitlines()
        assert max(map(len, lines)) <= 100
        assert lines[1].split()[:3] == ["post_scoring", "1", "250930-141522"]
        assert "harvest [x]" in lines[2]
        assert str(os.getpid()) in lines[2]
        first, second = (json.loads(line) for line in runtally(settings, "locks", "list", "--json").stdout.splitlines())
    assert (first["stream"], first["client"], first["run_id"]) == (1, None, "250930-141522")
    assert (second["stream"], second["client"], second["run_id"]) == (None, "Jane-Doe", None)
    assert 0 <= first["age_s"] < 60
    assert 1_700 < first["remaining_s"] <= 1_800
    assert "token" not in first


def test_a_lock_is_released_when_the_person_says_so(settings: Settings) -> None:
    with Exclusive(settings, SCORING, run_id="250930-141522"):
        words = ("locks", "release", "post_scoring", "--stream", "1")
        asked = runtally(settings, *words, answer="n\n")
        assert asked.returncode == 1
        assert "250930-141522" in asked.stdout
        assert runtally(settings, "locks", "release", "post_scoring", "--stream", "2", "--yes").returncode == 1
        released = runtally(settings, *words, "--yes", "--json")
        assert released.returncode == 0, released.stderr
        assert json.loads(released.stdout)["released"] is True
        again = runtally(settings, *words)
        assert (again.returncode, again.stderr) == (1, "nobody holds post_scoring, stream 1\n")
    refused = runtally(settings, "locks", "release", "a", "--stream", "1", "--client", "b")
    assert refused.returncode == 2
    assert "locks list" in refused.stderr
