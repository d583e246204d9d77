"""The monitor as a shell starts it: the terminal named by `VARIABLE` controls it."""

import fcntl
import os
import signal
import termios
from typing import Final

from tests import patient

VARIABLE: Final = "TESTS_TERMINAL"
IGNORED: Final = "TESTS_HANGUP_IGNORED"
"""Set: SIGHUP is ignored at the start, as by `nohup`."""

if __name__ == "__main__":
    os.setsid()
    terminal = os.open(os.environ[VARIABLE], os.O_RDWR)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.dup2(terminal, 0)
    # not as the tests themselves were started
    signal.signal(signal.SIGHUP, signal.SIG_IGN if IGNORED in os.environ else signal.SIG_DFL)
    patient.main()
