"""What a process did and what it spent: CPU of all its threads, and memory at its peak."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Hold how much was done in how many CPU seconds."""

    done: int
    cpu: float
    peak: float = 0.0
    """Resident memory at its peak since the process began, in MiB."""
    database_cpu: float | None = None
    """What Postgres spent meanwhile; none on SQLite, whose work is the process's own."""

    @property
    def rate(self) -> float:
        """Return how much was done per CPU second."""
        return self.done / self.cpu


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, user and system, all threads.

    By the kernel's CPU clock of that process, whose number clock_getcpuclockid(3) gives: the one
    that `time.process_time` reads for one's own.
    """
    return time.clock_gettime((~pid << 3) | 2)


def cpu_seconds_of_family(pid: int) -> float:
    """Return the CPU seconds of a process, its children, and those that it has outlived."""
    outlived = sum(int(ticks) / _TICKS for ticks in _stat(pid)[13:15])
    total = cpu_seconds(pid) + outlived
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if _stat(int(folder.name))[1] == str(pid):
                total += cpu_seconds(int(folder.name))
        except OSError:  # ended meanwhile
            continue
    return total


def peak_memory(pid: int) -> float:
    """Return a process's resident memory at its peak, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def parent(pid: int) -> int:
    """Return the process that started another."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """Return the fields of proc(5)'s `stat` from the third, the state, on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
