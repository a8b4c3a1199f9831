"""CPU time of processes, from the kernel's books. Source: proc(5), /proc/<pid>/stat, fields 14 and 15."""

from __future__ import annotations

import os
from math import nan
from pathlib import Path


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, in seconds, to the kernel's tick (10 ms); not-a-number without /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return nan
    # The second field is the program's name in parentheses and may hold spaces.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def group_cpu_s(leader: int) -> float:
    """The same for all processes of a group, such as a prefork worker with its children."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            member = os.getpgid(pid) == leader
        except OSError:
            continue
        if member and (spent := cpu_s(pid)) == spent:
            total += spent
    return total or nan
