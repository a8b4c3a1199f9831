"""Free loopback ports."""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

_FIRST_PORT = 15_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A loopback TCP port nobody listens on now. Somebody may take it before you do: try, and ask again when that happens.

    Taken from below the range that the kernel gives to outgoing connections. A port in that range can be lost while its
    server is restarted, even to a client that keeps trying to reach it (TCP connects to itself when source = destination).
    """
    for _ in range(100):
        port = random.randrange(_FIRST_PORT, max(_FIRST_PORT + 1, _first_ephemeral()))  # noqa: S311  # no secret
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """True when a server could listen on the loopback port now. Raises OSError when it may not (a privileged port)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def _first_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
