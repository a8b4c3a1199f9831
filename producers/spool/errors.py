"""Why the spool did not take a batch."""

from __future__ import annotations

import errno

from contract.errors import RuntallyError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolRefused(RuntallyError):
    """The spool holds nothing of the batch; what it held before is untouched. Keep the batch in memory and try again later.

    `reason` is `spool_full` (the bound, or the disk) or `spool_failed` (permission, read-only, a broken disk).
    """

    retryable = True

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def refused(error: OSError) -> SpoolRefused:
    """The refusal for an error of the operating system."""
    return SpoolRefused(f"cannot write to the spool: {error}", "spool_full" if error.errno in _FULL else "spool_failed")
