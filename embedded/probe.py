"""Ask a server whether it is ready, in the plain protocol: redis-py belongs to contract.link."""

from __future__ import annotations

import socket


def answers(port: int, password: str, timeout_s: float = 0.3) -> bool:
    """True when the server on the loopback port takes the password and answers PING (not while it loads its data)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            reply = b""
            while reply.count(b"\r\n") < 2:
                received = connection.recv(1_024)
                if not received:
                    return False
                reply += received
    except OSError:
        return False
    return reply.startswith(b"+OK\r\n+PONG\r\n")
