"""What a daemon says of its database, by its endpoint and by its log."""

import aiohttp

from tests.daemon_process import DaemonProcess


def is_telling(daemon: DaemonProcess) -> bool:
    """Tell whether its log says that it cannot use the database."""
    assert daemon.alive, "the daemon has ended"
    return daemon.lines("database.failing") != []


async def is_ready(daemon: DaemonProcess, word: str) -> bool:
    """Tell whether `/-/ready` begins so."""
    assert daemon.alive, "the daemon has ended"
    try:
        return (await daemon.get("/-/ready")).startswith(word)
    except aiohttp.ClientConnectionError:
        return False
