"""The embedded server when something dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from contract.link import Link
from embedded import DirectoryInUse, EmbeddedValkey

OWNER = """
import sys
from pathlib import Path
from embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def ask(server: EmbeddedValkey, *command: str) -> object:
    link = Link(server.url, name="test")
    link.open()
    try:
        return link.call(*command)
    finally:
        link.close()


def wait_until_gone(pid: int, within_s: float = 5.0) -> None:
    """A zombie that its adopter has not collected yet counts as gone."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} is still there")


def test_a_killed_server_comes_back_with_what_was_fsynced(durable_valkey: EmbeddedValkey) -> None:
    ask(durable_valkey, "SET", "kept", "yes")
    link = Link(durable_valkey.url, name="test")
    link.open()
    link.call("SET", "also", "yes")
    assert link.call("WAITAOF", 1, 0, 5_000) == [1, 0]
    url, pid = durable_valkey.url, durable_valkey.pid

    durable_valkey.kill()
    assert not durable_valkey.running
    durable_valkey.restart()

    assert (durable_valkey.url, durable_valkey.pid != pid) == (url, True)
    assert ask(durable_valkey, "MGET", "kept", "also") == [b"yes", b"yes"]


def test_restart_of_a_running_server_is_a_clean_stop_and_start(durable_valkey: EmbeddedValkey) -> None:
    ask(durable_valkey, "SET", "kept", "yes")
    durable_valkey.restart()
    assert ask(durable_valkey, "GET", "kept") == b"yes"


def test_a_frozen_server_is_killed_in_the_end() -> None:
    with EmbeddedValkey() as server:
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)
    wait_until_gone(pid, 0.1)


def test_the_server_dies_with_a_killed_owner_and_frees_the_directory(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        server_pid = int(owner.stdout.readline())
        owner.kill()
    wait_until_gone(server_pid)
    with EmbeddedValkey(tmp_path) as server:
        assert ask(server, "PING") == b"PONG"


def test_a_forked_child_neither_stops_the_server_nor_holds_its_directory(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "data") as server:
        child = os.fork()
        if child == 0:
            # The child leaves the `with` block as a child that forgot to exec would; then it lives on.
            server.close()
            signal.pause()
            os._exit(0)
        assert ask(server, "PING") == b"PONG"
    try:
        with EmbeddedValkey(tmp_path / "data") as again:
            assert ask(again, "PING") == b"PONG"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_that_leaves_the_with_block_deletes_nothing() -> None:
    with EmbeddedValkey() as server:
        child = os.fork()
        if child == 0:
            server.__exit__(None, None, None)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert server.data_dir.exists()
        assert ask(server, "PING") == b"PONG"


def test_the_lock_holds_while_the_server_outlives_its_owner(tmp_path: Path) -> None:
    """The gap between the owner's death and the server's: a second server in it would write into the same file."""
    with EmbeddedValkey(tmp_path) as server:
        assert server._directory is not None
        os.close(server._directory.lock_fd)
        try:
            with EmbeddedValkey(tmp_path):
                raise AssertionError("opened twice")
        except DirectoryInUse:
            pass
        finally:
            server._directory.lock_fd = os.open(os.devnull, os.O_RDONLY)
