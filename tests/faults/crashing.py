"""The daemon as a program that kills itself: at a named point, at its n-th passing.

Nothing of this is in the product: the wiring gets wrapped parts. A unit of work bears the name of
the function of storage that does it.
"""

import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.patient import be_patient

VARIABLE: Final = "MONITOR_CRASH"
"""Holds the point and the passing: `before record/2`."""
MOMENT: Final = 0.05
"""Seconds that a commit takes before it is cut off: what goes on beside it goes on."""


class Cause(StrEnum):
    """Say what brings a daemon to a point."""

    START = "each start passes it"
    WORK = "polls and events pass it, again and again"
    HOLD = "a receiver asks for a pause"
    FIND = "a list shows a batch that nobody registered"
    STOP = "SIGTERM"


@dataclass(frozen=True, slots=True)
class Point:
    """Name a place in the daemon's work, and the first passing that counts."""

    name: str
    cause: Cause
    passing: int = 1


def _round(step: str, cause: Cause, passing: int = 1) -> tuple[Point, Point]:
    return Point(f"before {step}", cause, passing), Point(f"after {step}", cause, passing)


POINTS: Final = (
    *_round("migrate", Cause.START),
    *_round("release_batches", Cause.START),
    *_round("release_deliveries", Cause.START),
    *_round("register_sources", Cause.START),
    *_round("register_receivers", Cause.START),
    *_round("heed_step_back", Cause.START),
    *_round("register_some", Cause.START),
    *_round("touch_instance", Cause.START),
    *_round("prune", Cause.START),
    *_round("claim_batches", Cause.WORK),
    *_round("read", Cause.WORK),
    *_round("record", Cause.WORK),
    *_round("hand over", Cause.WORK),
    *_round("send", Cause.WORK),
    *_round("settle_deliveries", Cause.WORK),
    *_round("claim_deliveries", Cause.WORK),
    *_round("hold_receiver", Cause.HOLD),
    *_round("lift_hold", Cause.HOLD),
    *_round("insert_found", Cause.FIND),
    *_round("release_batches", Cause.STOP, 2),
    *_round("release_deliveries", Cause.STOP, 2),
    *_round("forget_instance", Cause.STOP),
)


class Crash:
    """Count the passings of one point, and kill this process at the one that is asked for."""

    def __init__(self, asked: str) -> None:
        self._point, _, passing = asked.partition("/")
        self._left = int(passing)

    def reach(self, point: str) -> None:
        """Pass a point."""
        if self.is_due(point):
            os.kill(os.getpid(), signal.SIGKILL)

    def is_due(self, point: str) -> bool:
        """Count a passing; tell whether it is the last."""
        self._left -= point == self._point
        return self._left == 0 and point == self._point

    def round(self, step: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        """Put points round a call."""

        async def called(*arguments: Any, **named: Any) -> Any:
            self.reach(f"before {step}")
            found = await call(*arguments, **named)
            self.reach(f"after {step}")
            return found

        return called

    def end(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Put a point at the end of a unit of work, before its commit."""

        def done(*arguments: Any, **named: Any) -> Any:
            found = work(*arguments, **named)
            if self.is_due(f"before {step}"):
                time.sleep(MOMENT)
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return done


def wrap(crash: Crash) -> None:
    """Give the wiring wrapped parts."""
    from monitor import app
    from monitor.core.delivery import Delivery
    from monitor.daemon import process
    from monitor.engine import engine
    from monitor.engine.delivering.relay import Relay
    from monitor.storage.database import Database

    class CrashingDatabase(Database):
        async def _run(self, work: Callable[..., Any], *given: Any, **how: Any) -> Any:
            step = work.__name__.lstrip("_")
            found = await super()._run(crash.end(step, work), *given, **how)
            crash.reach(f"after {step}")
            return found

    class CrashingRelay(Relay):
        def accept(self, reserved: Sequence[Delivery]) -> None:
            if reserved:
                crash.reach("before hand over")
            super().accept(reserved)
            if reserved:
                crash.reach("after hand over")

    def build_with(step: str, build: Callable[..., Any]) -> Callable[..., Any]:
        def built(*arguments: Any, **named: Any) -> Any:
            part = build(*arguments, **named)
            setattr(part, step, crash.round(step, getattr(part, step)))
            return part

        return built

    wiring: Any = app
    parts: Any = engine
    program: Any = process
    program.Database, parts.Relay = CrashingDatabase, CrashingRelay
    wiring.build_provider = build_with("read", wiring.build_provider)
    wiring.build_sink = build_with("send", wiring.build_sink)


def main() -> None:
    """Run the monitor's command line with wrapped parts."""
    from monitor.cli.main import main as monitor

    be_patient()  # the end gives leases back: on a busy machine it must not skip a point
    wrap(Crash(os.environ[VARIABLE]))
    monitor()


if __name__ == "__main__":
    main()
