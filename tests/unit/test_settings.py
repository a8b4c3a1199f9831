"""Settings come from the environment and `.env`; a misspelt name is refused in both, also in lower case."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import SettingsInvalid
from contract.settings import load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, where `.env` is looked for."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_read_in_either_case_from_both_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("RUNTALLY_LINGER_MS=7\nruntally_replicas=3\nRUNTALLY_SERVICE=file\n", "utf-8")
    monkeypatch.setenv("runtally_partitions", "16")
    monkeypatch.setenv("RUNTALLY_SERVICE", "environment")
    settings = load_settings()
    assert (settings.linger_ms, settings.replicas, settings.partitions, settings.service) == (7, 3, 16, "environment")


@pytest.mark.parametrize("name", ["RUNTALLY_PARTITION", "runtally_partitons", "Runtally_Redis_Ulr"])
def test_a_misspelt_name_is_refused(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text(f"export {name}='16'\n", "utf-8")
    with pytest.raises(SettingsInvalid, match=rf"unknown setting {name.upper()} in \.env; known are .*RUNTALLY_PARTITIONS"):
        load_settings()
    (folder / ".env").unlink()
    monkeypatch.setenv(name, "16")
    with pytest.raises(SettingsInvalid, match=f"unknown setting {name.upper()} in the environment"):
        load_settings()


def test_names_of_other_programs_are_none_of_ours(folder: Path) -> None:
    (folder / ".env").write_text("DATABASE_URL=x\nPARTITIONS=4\nMY_RUNTALLY_PARTITIONS=4\n", "utf-8")
    assert load_settings().partitions == 8


def test_no_file_is_read_where_none_is_wanted(folder: Path) -> None:
    (folder / ".env").write_text("RUNTALLY_PARTITION=16\n", "utf-8")
    assert load_settings(_env_file=None).partitions == 8
