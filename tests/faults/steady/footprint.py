"""The footprint of a process as the system sees it: its CPU, memory and open files."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Hold what a process has used and holds, all its threads together."""

    cpu: float
    """In seconds, user and system, since it began."""
    memory: float
    """Resident, in KiB."""
    files: int


def footprint(pid: int) -> Footprint:
    """Look at a process."""
    place = Path("/proc") / str(pid)
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    pages = int((place / "statm").read_text().split()[1])
    return Footprint(
        cpu=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        memory=pages * os.sysconf("SC_PAGE_SIZE") / 1024,
        files=len(list((place / "fd").iterdir())),
    )
