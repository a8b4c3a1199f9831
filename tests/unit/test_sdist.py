"""The source distribution is whole: what its tests import, and every file under version control, is in it."""

from __future__ import annotations

import ast
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The paths in a distribution that is built now."""
    (archive,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("sdist")), versions=["standard"])
    with tarfile.open(archive) as content:
        return {name.partition("/")[2] for name in content.getnames()}


def imported(path: Path) -> Iterator[str]:
    """The absolute names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_what_its_tests_import_of_ours_is_in_it(packed: set[str]) -> None:
    ours = {entry.name for entry in ROOT.iterdir() if entry.is_dir() and any(entry.glob("*.py"))}
    wanted = {name.partition(".")[0] for path in (ROOT / "tests").rglob("*.py") for name in imported(path)} & ours
    assert {"contract", "simulation", "faults"} <= wanted
    assert wanted <= {name.partition("/")[0] for name in packed}


def test_every_file_under_version_control_is_in_it(packed: set[str]) -> None:
    if shutil.which("git") is None:
        pytest.skip("GIT IS MISSING: nothing tells what belongs into the source distribution")
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    if asked.returncode:
        pytest.skip("NOT TESTED: no checkout, so nothing tells what belongs into it")
    tracked = {name for name in asked.stdout.split("\0") if name and (ROOT / name).exists()}
    assert len(tracked) > 300
    assert tracked - packed == set()
