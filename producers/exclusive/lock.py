"""The lock as a context manager: taken before work starts, renewed by a thread while it works, given back at its end."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from contract.errors import AlreadyRunning, LockInvalid, LockLost, StoreRefused, StoreUnavailable
from producers import exits
from producers.alone import is_alone
from producers.default import publisher
from producers.exclusive.grant import Grant
from producers.exclusive.scope import Scope, scope_of

if TYPE_CHECKING:
    from contract.settings import Settings

IfUnavailable = Literal["refuse", "proceed"]

_RENEW_S = 15.0
"""Longest pause between renewals: so soon is it noticed that the lock is gone, however long it would last."""

_RETRY_S = 1.0
_JOIN_S = 6.0


def exclusive(
    operation: str,
    *,
    stream: int | None = None,
    client: str | None = None,
    run_id: str | None = None,
    if_unavailable: IfUnavailable = "refuse",
    raise_if_lost: bool = False,
) -> Exclusive:
    """A lock for an operation, or for one stream or one client of it, to be used in a `with`. See `Exclusive`.

    `run_id` is what a second start is told. Raises LockInvalid, RunIdInvalid and SettingsInvalid; asks Redis for nothing yet.
    """
    scope = scope_of(operation, stream, client)
    return Exclusive(publisher().settings, scope, run_id=run_id, if_unavailable=if_unavailable, raise_if_lost=raise_if_lost)


class Exclusive:
    """Entering takes the lock, leaving releases it, and so does SIGTERM where nobody handles it; it ends `lock_ttl_s` after its owner died.

    Entering raises AlreadyRunning when another has it, and StoreUnavailable when Redis cannot be asked; `if_unavailable="proceed"`
    goes on without a lock then (`fence` is None). Leaving never raises for transport trouble, but LockLost with `raise_if_lost`
    when the lock was lost and the block raised nothing itself. May be entered in one thread and left in another; can be used
    again, but not entered twice. A forked child owns nothing: there, `still_mine` is False and leaving does nothing.
    """

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        *,
        run_id: str | None = None,
        if_unavailable: IfUnavailable = "refuse",
        raise_if_lost: bool = False,
    ) -> None:
        """Asks Redis for nothing yet."""
        self.lost = threading.Event()
        """Set once the lock is another's, is gone, or could not be renewed in time: stop the work, or mind the fencing number."""
        self.fence: int | None = None
        """The fencing number: greater at each taking, of all locks. What is written to should refuse a smaller one than it has seen."""
        self._settings = settings
        self._scope = scope
        self._run_id = run_id
        self._if_unavailable = if_unavailable
        self._raise_if_lost = raise_if_lost
        self._grant: Grant | None = None
        self._pid = 0
        self._free = False
        self._left = threading.Event()
        self._thread: threading.Thread | None = None
        self._log: Any = None

    def still_mine(self) -> bool:
        """Whether the lock is certainly ours now. Asks nobody: the clock since the last renewal tells, also after having been frozen."""
        grant = self._grant
        if self._free:
            return True
        return grant is not None and self._pid == os.getpid() and not self.lost.is_set() and grant.remaining_s > 0

    def __enter__(self) -> Exclusive:
        import structlog

        if self._free or self._pid == os.getpid():
            raise LockInvalid(f"the lock for {self._scope} is entered already: make another one for another start")
        if is_alone():
            self._free, self.fence = True, 1
            return self
        scope = self._scope
        about = {"operation": scope.operation, "stream": scope.stream, "client_id": scope.client, "run_id": self._run_id}
        self._log = structlog.get_logger("runtally.lock").bind(**{name: value for name, value in about.items() if value is not None})
        self.lost.clear()
        self._left, self.fence = threading.Event(), None
        grant = Grant(self._settings.redis_url.get_secret_value(), scope, self._settings.lock_ttl_s, self._run_id)
        try:
            self.fence = grant.take()
        except AlreadyRunning:
            grant.close()
            raise
        except (StoreUnavailable, StoreRefused) as error:
            grant.abandon()
            if self._if_unavailable != "proceed":
                raise StoreUnavailable(f"{scope} is not started, because Redis cannot be asked whether it runs already: {error}") from error
            self._log.warning("started without a lock: Redis cannot be asked", error=str(error))
            return self
        except BaseException:
            grant.abandon()
            raise
        self._grant, self._pid = grant, os.getpid()
        exits.hold(self)
        self._thread = threading.Thread(target=self._keep, args=(grant, self._left), name="runtally-lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._free = False
        grant, thread = self._grant, self._thread
        if grant is None or thread is None or self._pid != os.getpid():
            return
        self._left.set()
        # A SIGTERM in between would find nothing to give back.
        with exits.undisturbed():
            self._grant, self._thread, self._pid = None, None, 0
            try:
                thread.join(_JOIN_S)
            finally:
                self._give_back(grant)
        if self._raise_if_lost and error is None and self.lost.is_set():
            raise LockLost(f"the lock for {self._scope} was lost before the work was done: another may have started it too")

    def let_go(self) -> None:
        """The process is about to end in the midst of the block: give the lock back. Raises nothing of Redis'; then it ends by itself."""
        grant = self._grant
        if grant is None or self._pid != os.getpid():
            return
        self._left.set()
        with suppress(StoreUnavailable, StoreRefused):
            grant.release_at_once()

    def _give_back(self, grant: Grant) -> None:
        try:
            if not self.lost.is_set() and not grant.release():
                self._lose("it was gone when it was to be released")
        except (StoreUnavailable, StoreRefused) as error:
            self._log.warning("lock not released: it ends by itself", error=str(error), ends_in_s=self._settings.lock_ttl_s)
        finally:
            grant.close()

    def _keep(self, grant: Grant, left: threading.Event) -> None:
        """The thread: renew until the block is left or the lock is lost."""
        usual_s = min(self._settings.lock_ttl_s / 3, _RENEW_S)
        pause_s, warned_s = usual_s, 0.0
        while not left.wait(pause_s):
            try:
                ours, pause_s = grant.renew(), usual_s
            except (StoreUnavailable, StoreRefused) as error:
                if left.is_set():
                    return
                if grant.remaining_s <= 0:
                    self._lose(f"it could not be renewed in time: {error}")
                    return
                if monotonic() - warned_s > _RENEW_S:
                    self._log.warning("lock not renewed, trying again", error=str(error), ends_in_s=round(grant.remaining_s, 1))
                    warned_s = monotonic()
                pause_s = min(usual_s, _RETRY_S)
                continue
            if not ours and not left.is_set():
                self._lose("it is gone, or another's")
                return

    def _lose(self, reason: str) -> None:
        self.lost.set()
        self._log.error("lock lost", reason=reason, fence=self.fence)
