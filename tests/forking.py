"""A process that has the monitor loaded, and forks a program for each request.

To load Python and the monitor takes a second of CPU time, and the tests start hundreds of
programs. A forked one is a process like any other, with an id, files, signals, an environment and
an exit status of its own. `tests/programs.py` asks for it.
"""

import gc
import json
import os
import resource
import runpy
import signal
import socket
import sys
import time
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Final

LOADED: Final = (
    *("monitor.cli.main", "monitor.daemon.process", "monitor.simulator", "alembic.command"),
    *(f"monitor.cli.commands.{name}" for name in ("set_up_and_run", "batches")),
    *(f"monitor.cli.{name}" for name in ("registration", "list_batches", "launch")),
    *("psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "uvloop"),
)
"""What is loaded once, for all; a program loads the rest itself."""
HEAD: Final = 8
"""Bytes that say how long a request is; its three files and its status' go along with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to become."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    strict: bool
    """Whether a warning is an error."""
    limits: tuple[tuple[int, int, int], ...]
    """The resources it has limits of: soft and hard."""


def main() -> None:
    """Fork for each request that comes on the socket; the child goes on as the program."""
    for name in LOADED:
        import_module(name)
    gc.freeze()  # a collection in a child would copy all that is loaded
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        _become(request)


def _serve(asked: socket.socket) -> Request | None:
    """Return the request in a child, and None in this process, when nobody will ask again."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no child's status is asked for here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks, and for programs
    while True:
        head, files, _, _ = socket.recv_fds(asked, HEAD, 4)
        if not head:
            return None
        text = asked.recv(int(head), socket.MSG_WAITALL)
        if os.fork() == 0:
            asked.close()
            *streams, status = files
            _keep(status)
            for number, file in enumerate(streams):
                os.dup2(file, number)
                os.close(file)
            return Request(**json.loads(text))
        for file in files:
            os.close(file)


def _keep(status: int) -> None:
    """Fork the program; return in it. Its parent says its id, and its exit status when it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program = os.fork()
    if program == 0:
        os.close(status)
        return
    os.closerange(0, status)
    os.write(status, b"%d\n" % program)
    _, ended = os.waitpid(program, 0)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
    os._exit(0)


def _become(request: Request) -> None:
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    if request.strict:
        sys.warnoptions.append("error")
        warnings.simplefilter("error")
    for limited, soft, hard in request.limits:
        resource.setrlimit(limited, (soft, hard))
    _open_streams()
    sys.argv[1:] = request.arguments
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def _open_streams() -> None:
    """Do anew what Python does at its start, for what stands there is another file now."""
    code = os.environ.get("PYTHONIOENCODING")
    sys.stdin = os.fdopen(0, encoding=code, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=code, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    main()
