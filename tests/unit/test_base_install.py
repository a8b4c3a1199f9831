"""The producer side works with the base install only, and loads nothing heavy until it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def foreign_modules() -> set[str]:
    """Top-level modules that are installed here, but not by `pip install runtally` and the dependencies of its dependencies."""
    wanted, base = ["runtally"], {"hiredis"}  # redis[hiredis]
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in base and name != "hiredis":
            continue
        base.add(name)
        for requirement in metadata.requires(name) or []:
            if not re.search(r"extra\s*==|python_(full_)?version\s*<|sys_platform\s*==\s*.win", requirement):
                wanted.append(re.match(r"[A-Za-z0-9._-]+", requirement).group())  # type: ignore[union-attr]
    owned = {
        module: {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} for module, owners in metadata.packages_distributions().items()
    }
    return {module for module, owners in owned.items() if not owners & base} | {
        "worker",
        "dashboard",
        "cli",
        "airtable_sandbox",
        "embedded",
    }


PROGRAM = """
import sys
foreign = {foreign!r}
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in foreign:
            raise ModuleNotFoundError(f"not in the base install: {{name}}", name=name)
sys.meta_path.insert(0, Guard())
{code}
"""


def in_base_install(code: str, **environment: str) -> str:
    """What `code` prints where nothing but the base install can be imported."""
    program = PROGRAM.format(foreign=sorted(foreign_modules()), code=code)
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_producers_loads_nothing_heavy() -> None:
    heavy = ("redis", "pydantic", "pydantic_settings", "structlog", "celery", "asyncio")
    assert in_base_install(f"import producers\nprint([name for name in {heavy} if name in sys.modules])") == "[]"


def test_events_are_delivered_with_the_base_install_only(redis_url: str) -> None:
    code = "import producers\nproducers.update_client_metrics('250930-141522', 'a', {'errors': 1})\nprint(producers.flush())"
    assert in_base_install(code, RUNTALLY_REDIS_URL=redis_url) == "0"


def test_a_batch_is_scored_with_the_base_install_only(redis_url: str) -> None:
    code = """
from producers import batch_scorer, post_harvester, post_scorer, single_scorer
import producers
scorer = batch_scorer.BatchScorer(leads_of={"a": [1, 2]}, score_lead=lambda lead, _: lead)
print(scorer.run(["a"]).failed, producers.flush())
"""
    assert in_base_install(code, RUNTALLY_REDIS_URL=redis_url) == "{} 0"


def test_what_is_not_in_the_base_install_is_refused_here() -> None:
    with pytest.raises(AssertionError, match="not in the base install"):
        in_base_install("import celery")
