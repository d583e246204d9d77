"""The seams at which the world is put under the engine: time, dice, network, SQLite's thread."""

import random
import secrets
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, tzinfo
from types import SimpleNamespace
from typing import Any

import pytest
import standardwebhooks.webhooks
import structlog

import monitor.daemon.daemon
import monitor.daemon.reload
import monitor.engine.clock
import monitor.engine.delivering.relay
import monitor.engine.housekeeping
import monitor.engine.loop
import monitor.net.http
import monitor.providers.api
import monitor.storage.servers.sqlite

CHORES = 7200.0
"""Seconds between two rounds of housekeeping."""
CLOCKS = (monitor.engine.delivering.relay, monitor.providers.api, standardwebhooks.webhooks)
"""Modules that look at the wall clock by themselves."""


@contextmanager
def under(
    *,
    seconds: Callable[[], float],
    now: Callable[[], datetime],
    dice: random.Random,
    client: Callable[..., Any],
    turn: float,
    hear: Callable[[str, MutableMapping[str, Any]], None],
) -> Iterator[None]:
    """Let the engine live in another world.

    `turn` is how long its loops wait at most: a second would only be slower, for they wake by what
    happens. `hear` gets what it logs.
    """

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return now().astimezone(tz)

    def listen(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Any:
        hear(event.pop("event"), event)
        raise structlog.DropEvent

    state, logs = random.getstate(), structlog.get_config()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor.storage.servers.sqlite, "ThreadPoolExecutor", _AtOnce)
        patch.setattr(monitor.engine.clock, "_monotonic", seconds)
        for module in CLOCKS:
            patch.setattr(module, "datetime", Datetime)
        patch.setattr(monitor.engine.loop, "TURN", turn)
        patch.setattr(monitor.engine.housekeeping, "EVERY", CHORES)
        patch.setattr(monitor.daemon.daemon, "time", SimpleNamespace(monotonic=seconds))
        patch.setattr(secrets, "token_hex", lambda size: dice.randbytes(size).hex())
        patch.setattr(monitor.net.http, "HttpClient", client)
        patch.setattr(monitor.daemon.reload, "set_up_logs", lambda **_: None)
        random.seed(dice.random())
        structlog.configure(
            processors=[listen],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            logger_factory=structlog.ReturnLoggerFactory(),
        )
        try:
            yield
        finally:
            structlog.configure(**logs)
            random.setstate(state)


class _AtOnce:
    """Do at once what SQLite's threads are given: no unit of work is under way beside others."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 (as a thread does: it is the caller's)
            future.set_exception(error)
        return future

    def shutdown(self, *, wait: bool) -> None:
        pass
