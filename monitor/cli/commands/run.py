"""The command `monitor run`: its options and its help."""

import signal
from contextlib import suppress

from monitor.cli.options import ConfigPath
from monitor.cli.signals import leave


def command(config: ConfigPath = None) -> None:
    """Run the daemon: poll, notice, deliver, until SIGTERM or Ctrl-C.

    Logs go to standard output. Health and metrics: http://127.0.0.1:8470/-/ready and /metrics
    unless [server] says otherwise.
    """
    with suppress(ValueError):  # only a main thread takes signals
        signal.signal(signal.SIGTERM, leave)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits for who reloads
    from monitor.cli.launch import launch

    launch(config)
