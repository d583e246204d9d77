"""The word to systemd: ready, reloading, stopping, status and watchdog, by sd_notify(3)."""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Systemd:
    """Write to the socket that systemd named; without one, as in a terminal, say nothing.

    A datagram that cannot be sent is dropped: the service manager must never stop the service.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watched = bool(environment.get("WATCHDOG_USEC")) and environment.get(
            "WATCHDOG_PID", str(os.getpid())
        ) == str(os.getpid())

    @property
    def listens(self) -> bool:
        """Return whether anybody hears us."""
        return bool(self._address)

    def ready(self) -> None:
        """Say that the start, or a reload, is over."""
        self._notify("READY=1")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it."""
        self._notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end begins."""
        self._notify("STOPPING=1")

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._notify(f"STATUS={' '.join(text.split())}")

    def extend(self, seconds: float) -> None:
        """Ask for more time to start."""
        self._notify(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def feed_watchdog(self) -> None:
        """Say that the process lives, if systemd watches it."""
        if self._watched:
            self._notify("WATCHDOG=1")

    def _notify(self, *lines: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)
