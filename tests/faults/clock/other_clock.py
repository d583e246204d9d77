"""The monitor by another clock: the machine's own, put ahead or back by a file of the test's."""

import mmap
import os
import pkgutil
import struct
import sys
import time
from datetime import datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "MONITOR_CLOCK"
"""Names the file."""

_SECONDS: Final = struct.Struct("dd")


class ClockFile:
    """Say by how much this machine's clocks are off; who reads it sees every change at once."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SECONDS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SECONDS.size)

    def step(self, seconds: float) -> None:
        """Put the wall clock ahead or back, as an administrator does; no other one."""
        self._write(self.stepped + seconds, self.slept)

    def sleep(self, seconds: float) -> None:
        """Let time pass, as while a machine is suspended: CLOCK_MONOTONIC alone stands still."""
        self._write(self.stepped, self.slept + seconds)

    def sleep_until(self, moment: datetime) -> None:
        """Let time pass until the wall clock shows a moment."""
        self.sleep(moment.timestamp() - time.time() - self.stepped - self.slept)

    @property
    def stepped(self) -> float:
        """Return by how much the wall clock alone is off."""
        return float(_SECONDS.unpack_from(self._memory)[0])

    @property
    def slept(self) -> float:
        """Return how much time passed while nothing ran."""
        return float(_SECONDS.unpack_from(self._memory)[1])

    def _write(self, stepped: float, slept: float) -> None:
        _SECONDS.pack_into(self._memory, 0, stepped, slept)


class _Like(type):
    def __instancecheck__(cls, found: object) -> bool:
        return isinstance(found, datetime)


class _Datetime(datetime, metaclass=_Like):
    """Tell the other clock's time; whatever it makes is a plain datetime."""

    def __new__(cls, *arguments: Any, **named: Any) -> datetime:  # type: ignore[misc]
        return datetime(*arguments, **named)  # noqa: DTZ001 (the caller's choice)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Return the time."""
        return datetime.fromtimestamp(time.time(), tz)


def live_by(file: ClockFile) -> None:
    """Let this process tell the time by the file, from now on."""
    wall, clock = time.time, time.clock_gettime
    boottime = getattr(time, "CLOCK_BOOTTIME", None)

    def gettime(which: int) -> float:
        stepped = file.stepped if which == time.CLOCK_REALTIME else 0.0
        return clock(which) + stepped + (file.slept if which in counting else 0.0)

    counting = {time.CLOCK_REALTIME, boottime}
    time.time = lambda: wall() + file.stepped + file.slept
    time.time_ns = lambda: int(time.time() * 1_000_000_000)
    time.clock_gettime = gettime
    for module in list(sys.modules.values()):
        ours = module.__name__.partition(".")[0] in {"monitor", "apscheduler"}
        if ours and vars(module).get("datetime") is datetime:
            vars(module)["datetime"] = _Datetime


def main() -> None:
    """Run the monitor; all of it is imported before."""
    import monitor
    from monitor.cli.main import main as run

    for module in pkgutil.walk_packages(monitor.__path__, "monitor."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    live_by(ClockFile(Path(os.environ[VARIABLE])))
    sys.argv[0] = "monitor"
    run()


if __name__ == "__main__":
    main()
