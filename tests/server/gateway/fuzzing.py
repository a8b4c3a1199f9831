"""Schemathesis against a gateway: what its OpenAPI document promises, held against what it answers to generated requests.

`python -m tests.server.gateway.fuzzing --seed 1 --examples 100` does it at full size, with an embedded Valkey and a gateway of its own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""Not that everything beside a schema is refused: the schemas of events ask for a little more than the gateway does."""

SETTINGS = {"gateway_requests_per_s": 1e6}
"""A pace that does not get in the way."""

SMALL = ("examples", "fuzzing")
FULL = ("examples", "coverage", "fuzzing")
"""Which of the tool's phases; `coverage` tries the limits of everything the document names, thousands of requests."""


class Fuzzed(NamedTuple):
    """How it went: how many operations and requests, whether all was as promised, and what the tool told."""

    operations: int
    requests: int
    passed: bool
    told: str


def fuzz(url: str, token: str, folder: Path, *, phases: tuple[str, ...], most_examples: int, seed: int) -> Fuzzed:
    """Run it, `most_examples` generated requests an operation. `folder`: where it may write."""
    words = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--no-color", "--continue-on-failure"]
    words += ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--phases", ",".join(phases)]
    words += ["--max-examples", str(most_examples), "--seed", str(seed), "--generation-database", "none", "--warnings", "off"]
    words += ["--suppress-health-check", "all", "--no-shrink"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=3_000, check=False)
    found = re.search(r"Operations: +(\d+) selected.*Test cases:\s+([\d,]+) generated", done.stdout, re.DOTALL)
    assert found is not None, done.stdout + done.stderr
    return Fuzzed(int(found[1]), int(found[2].replace(",", "")), done.returncode == 0, done.stdout)


def main() -> int:
    """Run it at full size. 0 if all was as promised."""
    from contract.link import Link
    from contract.settings import load_settings
    from embedded import EmbeddedValkey
    from producers.gateway.access import shelf
    from producers.gateway.access.token import Scope, make_token
    from tests.server.gateway.conftest import ServedGateway

    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=100, help="generated requests an operation")
    words = parser.parse_args()
    made = make_token("fuzzing", list(Scope), clients=[], sources=[], created_ms=0)
    with tempfile.TemporaryDirectory() as folder, EmbeddedValkey(aof=False) as valkey:
        link = Link(valkey.url, name="fuzzing")
        link.open()
        shelf.add(link, made.token)
        link.close()
        settings = load_settings(_env_file=None, redis_url=valkey.url, spool_dir=Path(folder) / "spool", **SETTINGS)
        with ServedGateway(settings) as gateway:
            fuzzed = fuzz(gateway.url, made.text, Path(folder), phases=FULL, most_examples=words.examples, seed=words.seed)
    sys.stdout.write(f"{fuzzed.told}\n{fuzzed.operations} operations, {fuzzed.requests:,} requests, seed {words.seed}\n")
    return 0 if fuzzed.passed and fuzzed.requests >= 5_000 else 1


if __name__ == "__main__":
    sys.exit(main())
