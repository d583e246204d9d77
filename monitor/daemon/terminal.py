"""The terminal that controls this process, if one does: whether it has hung up."""

import errno
import os
import signal
from contextlib import suppress
from typing import Final

_CONTROLLING: Final = "/dev/tty"
"""Whichever that is: see tty(4)."""


class Terminal:
    """The terminal that controlled us at the start; none under systemd, `setsid` or `nohup`.

    Whoever has SIGHUP ignored, as `nohup` has, means to outlive the terminal.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            with suppress(OSError):  # there is none
                self._file = os.open(_CONTROLLING, os.O_RDONLY | os.O_NOCTTY)

    @property
    def is_gone(self) -> bool:
        """Return whether it was there and has hung up: the SIGHUP that came is for that."""
        if self._file is None:
            return False
        try:
            os.tcgetpgrp(self._file)
        except OSError as error:
            return error.errno == errno.EIO
        return False

    def close(self) -> None:
        """Look no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
