"""Is everything as it should be? Rows against rows, against the log, against Airtable; and the mending of what is not."""

from worker.verify.check import Options, verify
from worker.verify.finding import Finding, Kind, Mend, Remark, Report, State
from worker.verify.turn import look

__all__ = ["Finding", "Kind", "Mend", "Options", "Remark", "Report", "State", "look", "verify"]
