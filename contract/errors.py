"""Every error Runtally raises on purpose. A leaf exists because somebody catches it apart.

What a caller can do stands in each docstring; `retryable` says it to code.
"""

from __future__ import annotations


class RuntallyError(Exception):
    """Root of all errors raised on purpose."""

    retryable = False


class SettingsInvalid(RuntallyError, ValueError):
    """A setting is missing, misspelt or out of range. Mend the environment or `.env` and start again."""


class RunIdInvalid(RuntallyError, ValueError):
    """The text is no run ID, or one that has no standard form. Retrying cannot help."""


class RunIdConflict(RunIdInvalid):
    """The run ID names another client, or a client where a job is meant: writing on would put numbers on a wrong row. The text says
    which run ID to use."""


class StatusUnknown(RuntallyError, ValueError):
    """The status maps to none of the four. Send one of the words in spec §2."""


class ValueRejected(RuntallyError, ValueError):
    """A metric's value cannot be normalised to its type. That value is dropped with this reason, its neighbours count."""


class EventRejected(RuntallyError, ValueError):
    """The event breaks the contract. Retrying cannot help: it goes to the dead letters."""


class StoreUnavailable(RuntallyError):
    """Redis cannot be reached, or the connection was lost: what was in flight has an unknown outcome. Retry later."""

    retryable = True


class StoreRefused(RuntallyError):
    """Redis answered with an error (`OOM`, `MISCONF`, `READONLY`, `WRONGTYPE` …): the command had no effect.

    `code` is the first word of the answer. `OOM`, `MISCONF`, `READONLY`, `LOADING` pass by themselves: retry later.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]

    @property
    def passing(self) -> bool:
        """True when the same command may succeed later without anybody changing it."""
        return self.code in {"OOM", "MISCONF", "READONLY", "LOADING", "NOREPLICAS", "MASTERDOWN", "BUSY", "TRYAGAIN"}


class LayoutMismatch(RuntallyError):
    """Redis was set up with other partitions or another layout version. Use the recorded ones, or another Redis."""


class LockInvalid(RuntallyError, ValueError):
    """There can be no such lock: the operation is no text, or both a stream and a client are named. Retrying cannot help."""


class AlreadyRunning(RuntallyError):
    """The operation runs already, here or elsewhere: do not start it again. An HTTP gateway answers 409.

    `run_id` of the holder (None when it told none), `host` and `pid` where it works, `age_s` for how long, in seconds; `remaining_s`
    until the lock would end if the holder were dead.
    """

    def __init__(self, message: str, *, run_id: str | None, host: str, pid: int, age_s: float, remaining_s: float) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.host = host
        self.pid = pid
        self.age_s = age_s
        self.remaining_s = remaining_s


class LockLost(RuntallyError):
    """The lock ended while the work went on (frozen, cut off from Redis, released by a person): another may have done the same work."""


class NoCurrentRun(RuntallyError, LookupError):
    """Nothing here is tracked as a run, or only as a job without a client. What also works untracked catches this."""


class RunNotContinued(RuntallyError):
    """To continue the run could count something twice: it stopped too long ago, or under another service's name. Begin a new one."""


class TooManyErrors(RuntallyError):
    """A client's work was given up after as many errors as were allowed. What was done counts; the run can be continued."""


class LetterInvalid(RuntallyError, ValueError):
    """There can be no such dead letter, or it cannot be sent again as it is: mend it with an edit. It stays where it is."""


class AirtableBusy(RuntallyError):
    """Airtable refused for now (429, 503) and applied nothing. `retry_after_s` is a floor, in seconds."""

    retryable = True

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AirtableUnclear(RuntallyError):
    """The request may or may not have been applied (timeout, reset, 5xx). Write the rows again when it can no longer land."""

    retryable = True


class AirtableRejected(RuntallyError):
    """Airtable refused the request for good (4xx). `status` is the HTTP status, `kind` Airtable's error type."""

    def __init__(self, message: str, status: int, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
