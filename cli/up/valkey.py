"""The embedded server as a service that can be watched."""

from __future__ import annotations

from cli.up.service import ServiceFailed
from embedded import EmbeddedValkey, ServerFailed


class ValkeyService:
    """Starts again on the same port with the same password: what it had on disk is there, and clients find it."""

    name = "valkey"

    def __init__(self, server: EmbeddedValkey) -> None:
        self._server = server

    def start(self) -> None:
        """Start it again and wait until it answers. Raises ServiceFailed."""
        try:
            self._server.restart()
        except ServerFailed as error:
            raise ServiceFailed(str(error)) from error

    def exit_code(self) -> int | None:
        """None while it runs; 0 also when the last start failed."""
        return None if self._server.running else self._server.exit_code or 0
