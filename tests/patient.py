"""How long tests wait for what may never come, and `monitor` as a program as patient at its end.

A busy machine needs more than the seconds that the program gives itself to end cleanly; that it
does give itself no more is asserted where nothing else runs: `tests/faults/promises`.
"""

import os
from typing import Any, Final

HANG: Final = 120.0
"""Seconds after which what is waited for will never come: a slow machine takes fewer."""
VARIABLE: Final = "TESTS_UNANSWERED"
"""The environment variable with the seconds that deliveries under way get at the end."""


def be_patient() -> None:
    """Let the end, and what a busy machine makes long, take as long as it needs."""
    from monitor.daemon import daemon, process
    from monitor.engine import engine, loop

    parts: tuple[Any, ...] = (engine, loop, daemon, process)
    parts[0].DELIVERIES_TIMEOUT = float(os.environ.get(VARIABLE, HANG))
    parts[0].FLUSH = parts[1].CANCELLING = parts[2].RELEASE = parts[3].LONGEST_END = HANG
    be_patient_with_files()


def be_patient_with_files() -> None:
    """Let SQLite wait for a file that others hold for as long as they do."""
    from monitor.storage.servers import sqlite

    pragmas: Any = sqlite
    first, *rest = pragmas._PRAGMAS
    assert "busy_timeout" in first
    pragmas._PRAGMAS = (f"PRAGMA busy_timeout = {HANG * 1000:.0f}", *rest)


def main() -> None:
    """Run the monitor's command line."""
    from monitor.cli.main import main as monitor

    be_patient()
    monitor()


if __name__ == "__main__":
    main()
