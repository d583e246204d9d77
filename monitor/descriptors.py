"""File descriptors: how many this process may have open, and whether one is to be had."""

import errno
import os
import resource
from contextlib import suppress
from typing import Final

MOST: Final = 65_536
"""More would be of no use: 10,000 polls may be under way, and each receiver takes a few."""
_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE})


def limit() -> int:
    """Return how many this process may have, as far as it can use them."""
    return _bounded(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _bounded(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else limit


def raise_limit() -> None:
    """Take as many as the system allows: what it gives unasked is 1,024, for programs of old.

    They use select(2), which knows no higher numbers (systemd.exec(5), `LimitNOFILE=`).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(_bounded(hard), MOST)
    if _bounded(soft) < most:
        with suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that no descriptor is to be had."""
    return isinstance(error, OSError) and error.errno in _SHORTAGE


def are_out() -> bool:
    """Return whether none is to be had now; what fails for it often says something else."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return is_shortage(error)
    return False
