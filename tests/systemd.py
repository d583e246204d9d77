"""A socket in systemd's place: what the daemon tells it, and when."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class NotifySocket:
    """Collect what is told, line by line, with the monotonic time at which it came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[tuple[float, str]] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def lines(self, start: str = "") -> list[str]:
        """Return the lines that begin so, oldest first."""
        return [line for _, line in self.heard if line.startswith(start)]

    def times(self, line: str) -> list[float]:
        """Return when a line came."""
        return [at for at, heard in self.heard if heard == line]

    def read(self) -> None:
        """Take in what has arrived: ten wait at most, then the sender drops."""
        data = self.socket.recv(65536)
        self.heard += [(time.monotonic(), line) for line in data.decode().splitlines()]


@asynccontextmanager
async def notify_socket(path: Path) -> AsyncIterator[NotifySocket]:
    """Listen."""
    heard = NotifySocket(path)
    loop = asyncio.get_running_loop()
    loop.add_reader(heard.socket, heard.read)
    try:
        yield heard
    finally:
        loop.remove_reader(heard.socket)
        heard.socket.close()
