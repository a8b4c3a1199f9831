"""A publisher's folder: what its maker leaves that dies while making it is swept by whoever looks for the dead next."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from producers.spool.folder import ABOUT, LOCK, Folder, folders
from producers.spool.home import Home
from tests.conftest import SettingsMaker


def hidden(root: Path, age_s: float) -> Path:
    """The folder of a maker that died just before it gave the folder its name, so long ago."""
    child = os.fork()
    if not child:
        Path.rename = lambda *_: os._exit(0)  # type: ignore[method-assign, assignment]
        Folder.make(root, "abc", "redis", 8)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    left = root / ".abc"
    assert {path.name for path in left.iterdir()} == {LOCK, ABOUT}
    os.utime(left, (time.time() - age_s,) * 2)
    return left


@pytest.mark.parametrize("lock", [True, False], ids=["with its lock", "before there was a lock"])
def test_a_folder_left_half_made_is_swept(tmp_path: Path, make_settings: SettingsMaker, lock: bool) -> None:
    settings = make_settings(spool_dir=tmp_path)
    left = hidden(tmp_path, age_s=61)
    if not lock:
        (left / LOCK).unlink()
        (left / ABOUT).unlink()
        os.utime(left, (time.time() - 61,) * 2)
    assert list(folders(tmp_path)) == []
    assert Home(settings, "me").adopt(4) == []
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_just_being_made_or_locked_is_left_alone(tmp_path: Path, make_settings: SettingsMaker) -> None:
    settings = make_settings(spool_dir=tmp_path)
    young = hidden(tmp_path, age_s=0)
    Home(settings, "me").adopt(4)
    assert young.exists()
    os.utime(young, (time.time() - 61,) * 2)
    maker = Folder.adopt(young)
    assert maker is not None
    Home(settings, "me").adopt(4)
    assert young.exists()
    maker.forget()
    Home(settings, "me").adopt(4)
    assert not young.exists()


def test_files_of_others_in_the_spools_directory_are_left_alone(tmp_path: Path, make_settings: SettingsMaker) -> None:
    (tmp_path / ".keep").write_text("")
    (tmp_path / ".theirs").mkdir()
    (tmp_path / ".theirs" / "notes").write_text("mine")
    os.utime(tmp_path / ".theirs", (time.time() - 61,) * 2)
    Home(make_settings(spool_dir=tmp_path), "me").adopt(4)
    assert (tmp_path / ".theirs" / "notes").read_text() == "mine"
    assert (tmp_path / ".keep").exists()
