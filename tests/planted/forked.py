"""Runs of pytest with a planted bug, forked from a process that has the libraries loaded.

To load them is more than half of what a start costs.
"""

import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess as Run
from pathlib import Path
from typing import Final

from tests.planted import Bug, all_bugs, plant

LOADED: Final = [
    *("pytest", "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql", "psycopg"),
    *("sqlalchemy.dialects.sqlite", "aiohttp.web", "httpx_aiohttp", "pydantic", "structlog"),
    *("alembic.command", "apscheduler.schedulers.background", "prometheus_client", "rich.console"),
    *("typer", "uvloop"),
]
"""What is nobody's to change: of the monitor, the tests and pytest's plugins nothing."""


def start(bug: Bug, words: Sequence[str], environment: Mapping[str, str], output: Path) -> Run:
    """Start pytest with a planted bug; what it prints goes into a file."""
    context = get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(
        target=_run, args=(bug.name, [*words], dict(environment), str(output))
    )
    process.start()
    return process


def _run(name: str, words: list[str], environment: dict[str, str], output: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with Path(output).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    plant(all_bugs()[name])
    sys.argv = ["pytest", *words]
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
