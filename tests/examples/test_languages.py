"""docs/languages.md: every example runs as it stands, in its language, and what it sent is counted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract import keys
from contract.layout import claim_layout
from contract.link import Link
from contract.settings import Settings
from tests.server.gateway.conftest import ServedGateway, folded, new_token, served

__all__ = ["folded", "new_token", "served"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "languages.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = {"sh": ["bash", "-euo", "pipefail", "-c"], "js": ["node", "--input-type=module", "-e"]}
WANTED = {
    "curl a run": {"250930-141522": ("Completed", {"Leads Processed": 25, "Apify API Costs": "0.10"}, "Jane-Doe")},
    "curl one event": {"250930-141522": ("Running", {"Leads Processed": 5}, "Jane-Doe")},
    "JavaScript": {"250930-141523": ("Completed", {"Leads Processed": 3}, "acme")},
    "the log": {"250930-141524": ("Running", {"Leads Processed": 7}, "acme")},
}
REDIS_CLI = """#!{python}
import sys
sys.path.insert(0, {root!r})
from contract.link import Link
assert sys.argv[1] == "-u"
link = Link(sys.argv[2], name="redis-cli")
link.open()
reply = link.call(*sys.argv[3:])
print("" if reply is None else reply.decode() if isinstance(reply, bytes) else reply)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where commands are found; with a stand-in for redis-cli where there is none, as on most machines that only test."""
    if shutil.which("redis-cli") is None:
        command = tmp_path / "bin" / "redis-cli"
        command.parent.mkdir()
        command.write_text(REDIS_CLI.format(python=sys.executable, root=str(ROOT)), "utf-8")
        command.chmod(0o755)
        return f"{command.parent}:{os.environ['PATH']}"
    return os.environ["PATH"]


def test_the_page_has_an_example_for_each_expectation() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "js", "sh"]
    assert len(WANTED) == len(BLOCKS)


@pytest.mark.parametrize(("block", "name"), list(zip(BLOCKS, WANTED, strict=True)), ids=WANTED)
def test_an_example(
    block: tuple[str, str],
    name: str,
    settings: Settings,
    served: ServedGateway,
    new_token: Callable[..., str],
    folded: Callable[[str], Any],
    path: str,
) -> None:
    language, code = block
    link = Link(settings.redis_url.get_secret_value(), name="test")
    link.open()
    claim_layout(link, settings.partitions)
    link.close()
    for needed in {"node", "curl", "gzip", "od"} & set(re.findall(r"\w+", " ".join(COMMANDS[language]) + code)):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed.upper()} IS MISSING: the example {name!r} was not tested")
    environment = {
        **os.environ,
        "GATEWAY_URL": served.url,
        "GATEWAY_TOKEN": new_token("ingest"),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "PATH": path,
    }
    for _ in range(2):
        done = subprocess.run([*COMMANDS[language], code], env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for run, (status, metrics, client) in WANTED[name].items():
        job = folded(run)
        assert (job["status"], job["metrics"], job["clients"][0]["client_id"]) == (status, metrics, client)


def test_the_shells_partition_is_the_contracts() -> None:
    (lines,) = (code for _, code in BLOCKS if "crc=" in code)
    rule = lines[lines.index("crc=") : lines.index("redis-cli", lines.index("crc="))]
    for run in ("250930-141522", "000101-000000", "991231-235959", "251122-093000", "240229-120000"):
        script = f"run={run}; partitions=1024\n{rule}echo $partition $(printf %03d $partition)"
        told = subprocess.run([*COMMANDS["sh"], script], capture_output=True, text=True, timeout=20, check=True).stdout.split()
        partition = keys.partition_of(run, 1024)
        assert (int(told[0]), f"rt:{{p{told[1]}}}:log") == (partition, keys.log(partition))


def test_every_link_leads_somewhere() -> None:
    for page in ("languages.md", "gateway.md", "contracts/README.md"):
        folder = (ROOT / "docs" / page).parent
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "docs" / page).read_text("utf-8")):
            assert (folder / target).exists(), (page, target)
