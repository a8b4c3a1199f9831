"""What docs/*.md shows: Python that compiles and imports what there is, JSON and TOML that parse, requests that are answered."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.gateway.conftest import ServedGateway, folded, new_token, served, token

__all__ = ["folded", "new_token", "served", "token"]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(language, code, id=f"{page.name}-{number}-{language}")
    for page in PAGES
    for number, (language, code) in enumerate(re.findall(r"^```(\w*)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    if language in ("python", "toml") or (language == "json" and not re.search(r"…|\{\{", code))
]
CURL = 'curl() { command curl -sS --fail-with-body "$@"; }\n'


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_a_block_is_what_it_says(language: str, code: str) -> None:
    if language == "json":
        json.loads(code)
    elif language == "toml":
        tomllib.loads(code)
    else:
        for node in ast.walk(ast.parse(code.replace("…", "..."))):
            if isinstance(node, ast.Import):
                for name in node.names:
                    importlib.import_module(name.name)
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    assert is_there(str(node.module), name.name), ast.unparse(node)


def is_there(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


@pytest.mark.skipif(shutil.which("curl") is None, reason="CURL IS MISSING: docs/jobs-api.md was not tested")
def test_the_requests_of_the_jobs_page(served: ServedGateway, token: str, folded: Callable[[str], Any]) -> None:
    (block,) = re.findall(r"^```\n(curl .*?)^```", (ROOT / "docs" / "jobs-api.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    environment = {**os.environ, "URL": served.url, "AUTH": f"Authorization: Bearer {token}", "JSON": "Content-Type: application/json"}
    command = [shutil.which("bash") or "bash", "-euc", CURL + block]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    job = folded("250930-141522")
    assert (job["clients"][0]["client_id"], job["metrics"]) == ("Jane-Doe", {"Leads Processed": 50})
