"""One Redis connection of its own, that never reconnects without a word.

The connection rule (docs/design.md): what was read, appended or promised on one connection is not trusted on another. A
pool would reconnect an idle connection silently; a `Link` does so only in `open()`, and `epoch` counts how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.errors import StoreRefused, StoreUnavailable

Command = Sequence[str | bytes | int | float]


def preload() -> None:
    """Import redis-py now. For whoever may be forked: a child forked in the midst of an import can never finish it."""
    import redis.backoff
    import redis.connection
    import redis.exceptions
    import redis.retry  # noqa: F401


class Link:
    """A connection used by one thread at a time. Not to be used after a fork: make a new one in the child.

    Replies are as Redis sends them (RESP2): bytes, int, list, None. Commands are never retried here.
    """

    def __init__(self, url: str, *, name: str, timeout_s: float = 10.0) -> None:
        """`name` shows in CLIENT LIST; `timeout_s` bounds each connect and each reply."""
        self._url = url
        self._name = name
        self._timeout_s = timeout_s
        self._connection: Any = None  # redis-py types the methods of a connection as untyped
        self.epoch = 0
        """How often this link has connected. A change means: drop what was in hand."""

    def open(self) -> int:
        """Connect unless connected; the epoch. Raises StoreUnavailable. redis-py is imported here, on first use (0.15 s)."""
        if self._connection is None:
            from redis.backoff import NoBackoff
            from redis.connection import ConnectionPool
            from redis.exceptions import RedisError
            from redis.retry import Retry

            pool = ConnectionPool.from_url(
                self._url,
                client_name=self._name,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=min(5.0, self._timeout_s),
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
            connection: Any = pool.make_connection()
            try:
                connection.connect()
            except (RedisError, OSError) as error:
                raise StoreUnavailable(f"cannot connect to Redis: {error}") from error
            self._connection = connection
            self.epoch += 1
        return self.epoch

    def call(self, *command: str | bytes | int | float) -> Any:
        """The reply to one command. Raises StoreRefused when Redis answers with an error, StoreUnavailable when it does not."""
        reply = self.pipeline([command])[0]
        if isinstance(reply, StoreRefused):
            raise reply
        return reply

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to several commands sent at once; a refused one has its StoreRefused in its place, the others count.

        Raises StoreUnavailable when the link is closed or breaks: then any of the commands may have been applied.
        """
        from redis.exceptions import RedisError, ResponseError

        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the link is closed")
        try:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            return [_reply(connection, ResponseError) for _ in commands]
        except (RedisError, OSError) as error:
            self.close()
            raise StoreUnavailable(f"connection to Redis lost: {error}") from error
        except BaseException:
            # A signal or a bug in mid-reply: what is left in the socket belongs to nobody.
            self.close()
            raise

    def close(self) -> None:
        """Close; the next `open()` starts a new epoch. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()


def _reply(connection: Any, response_error: type[Exception]) -> Any:
    try:
        reply = connection.read_response()
    except response_error as error:
        reply = error
    if isinstance(reply, response_error):
        # redis-py takes the code off the text for the errors it knows and keeps it here.
        code = getattr(reply, "status_code", None)
        return StoreRefused(f"{code} {reply}" if code else str(reply))
    return reply
