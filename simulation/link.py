"""The connection to the model of Redis: a contract.link.Link whose commands are cut, delayed or lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.errors import StoreRefused, StoreUnavailable
from contract.link import Command, Link
from simulation import commands as redis_commands
from simulation import theatre
from simulation.world import World

_TIMEOUT_S = 10.0


class Connection:
    """One connection: the life of Redis it belongs to, and the position of the last write made on it."""

    def __init__(self, life: int) -> None:
        self.life = life
        self.wrote_at = 0


class SimulatedLink(Link):
    """Gives way before each round trip. `silent`: reconnects without a word, as a pool does (a mutation)."""

    def __init__(self, url: str = "", *, name: str = "", timeout_s: float = _TIMEOUT_S, silent: bool = False) -> None:
        super().__init__(url, name=name, timeout_s=timeout_s)
        self._silent = silent or name.startswith(theatre.silent_links)
        self._conn: Connection | None = None

    @property
    def _world(self) -> World:
        return theatre.world()

    def open(self) -> int:
        if self._conn is None:
            world = self._world
            world.pause()
            if world.now_s < world.redis_up_s:
                world.pause(0.05)
                raise StoreUnavailable("Redis is down")
            self._conn = Connection(world.redis.life)
            if not self._silent or not self.epoch:
                self.epoch += 1
        return self.epoch

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        world = self._world
        world.pause()
        conn = self._conn
        if conn is None:
            raise StoreUnavailable("the link is closed")
        if self._silent and conn.life != world.redis.life and world.now_s >= world.redis_up_s:
            conn = self._conn = Connection(world.redis.life)
        if conn.life != world.redis.life or world.now_s < world.redis_up_s:
            self.close()
            raise StoreUnavailable("connection lost")
        if not world.quiet and world.mix.p_cut and world.rng.random() < world.mix.p_cut:
            self._cut(conn, commands)
        if commands[0][0] in {"WAITAOF", "WAIT"}:
            return [self._wait(conn, str(commands[0][0]), int(commands[0][-1]))]
        return self._apply(conn, commands)

    def _cut(self, conn: Connection, commands: Sequence[Command]) -> None:
        """The connection ends before, within or after these commands, or they arrive only later."""
        world = self._world
        kind = world.rng.choice(("before", "within", "after", "late"))
        shown = _shown(commands)
        if kind == "late":
            world.note(f"no reply, late: {shown}")
            delay_s = world.rng.choice((0.05, 1.0, 12.0)) * world.rng.random()
            world.later(delay_s, f"arrives late: {shown}", lambda: self._arrive(conn, commands))
        else:
            reached = {"before": 0, "within": world.rng.randint(0, len(commands)), "after": len(commands)}[kind]
            world.note(f"cut {kind}, {reached} of {len(commands)} applied: {shown}")
            self._arrive(conn, commands[:reached])
        if world.rng.random() < 0.3:
            world.pause(self._timeout_s)
        self.close()
        raise StoreUnavailable("no reply")

    def _arrive(self, conn: Connection, commands: Sequence[Command]) -> None:
        if conn.life == self._world.redis.life and commands and commands[0][0] not in {"WAITAOF", "WAIT"}:
            self._apply(conn, commands)

    def _apply(self, conn: Connection, commands: Sequence[Command]) -> list[Any]:
        world = self._world
        replies: list[Any] = []
        for command in commands:
            if command[0] == "XADD" and not world.quiet and world.mix.p_refused and world.rng.random() < world.mix.p_refused:
                replies.append(StoreRefused("OOM command not allowed when used memory > 'maxmemory'."))
                continue
            reply, wrote = redis_commands.run(world.redis, command)
            if wrote:
                conn.wrote_at = world.redis.position
            replies.append(reply)
        if world.traced:
            world.note(f"{_shown(commands)} -> {replies!r:.150}")
        return replies

    def _wait(self, conn: Connection, verb: str, most_ms: int) -> Any:
        """WAITAOF 1 0 ms and WAIT 1 ms: what this connection wrote is on disk, or on the replica. Source: valkey.io."""
        world = self._world
        ends_s = world.now_s + most_ms / 1000
        while True:
            reached = world.redis.fsynced if verb == "WAITAOF" else world.redis.replicated
            done = int(reached >= conn.wrote_at)
            if done or world.now_s >= ends_s:
                world.note(f"{verb} -> {done}")
                return [done, 0] if verb == "WAITAOF" else done
            world.pause(min(0.5, most_ms / 1000))
            if conn.life != world.redis.life:
                self.close()
                raise StoreUnavailable("connection lost")

    def close(self) -> None:
        self._conn = None


def _shown(commands: Sequence[Command]) -> str:
    return "; ".join(_shown_one(command) for command in commands)


def _shown_one(command: Command) -> str:
    parts = [part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in command]
    if parts[0] == "EVALSHA":
        number = int(parts[2])
        name = redis_commands.script_name(parts[1])
        return f"{name} {parts[3]} {' '.join(part[:24] for part in parts[3 + number :] if part.isprintable())}"
    return " ".join(part[:40] for part in parts)
