"""Names that nobody answers for: whoever asks for them waits, and nobody else."""

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import uvloop

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net import lookup
from monitor.net.http import HttpClient
from monitor.net.lookup import Lookup
from tests.patient import HANG

DEADLINE = timedelta(seconds=HANG)
SOON = timedelta(milliseconds=100)

Peer = Any  # conftest's: tests cannot import it


class System:
    """Stand where the system's look-up stands: the test says what it answers, and when."""

    def __init__(self) -> None:
        self.answers: dict[str, str | OSError] = {}
        self.asked: list[str] = []
        self.silent = threading.Event()
        """Whoever asks for a name without an answer waits for it."""
        self._real = socket.getaddrinfo

    def ask(self, host: str, port: int, *rest: Any, **named: Any) -> Any:
        if not host.endswith(".test"):
            return self._real(host, port, *rest, **named)
        self.asked.append(host)
        if host not in self.answers:
            self.silent.wait(HANG)
        answer = self.answers.get(host, socket.gaierror(socket.EAI_NONAME, "unknown"))
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]


@pytest.fixture
async def system(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    system = System()
    monkeypatch.setattr(socket, "getaddrinfo", system.ask)
    yield system
    system.silent.set()


async def test_dead_names_hold_up_nobody_else(
    make_client: Callable[..., HttpClient], peer: Peer, system: System
) -> None:
    """The loops' own look-ups share four threads, or some more: the twentieth would wait."""
    await peer.serve()
    system.answers["alive.test"] = "127.0.0.1"
    dead = [make_client() for _ in range(20)]
    hung = [
        asyncio.create_task(client.get(f"http://dead{n}.test/", {}, deadline=DEADLINE))
        for n, client in enumerate(dead)
    ]
    async with asyncio.timeout(HANG):
        while len(system.asked) < len(dead):  # noqa: ASYNC110 (threads tell nobody)
            await asyncio.sleep(0)

    answer = await make_client().get(f"http://alive.test:{peer.port}/", {}, deadline=DEADLINE)

    assert answer.status_code == 200
    assert not any(task.done() for task in hung)
    for task in hung:
        task.cancel()


async def test_a_name_without_an_answer_fails_as_one(
    client: HttpClient, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT", 0.01)

    with pytest.raises(NetworkError) as caught:
        await client.get("http://dead.test/", {}, deadline=DEADLINE)

    assert caught.value.kind is NetworkKind.DNS


async def test_so_it_does_where_the_deadline_is_shorter(client: HttpClient, system: System) -> None:
    with pytest.raises(NetworkError) as caught:
        await client.get("http://dead.test/", {}, deadline=SOON)

    assert caught.value.kind is NetworkKind.DNS


async def test_however_often_a_name_is_asked_for_one_thread_looks_it_up(system: System) -> None:
    asking = Lookup()
    tasks = [asyncio.create_task(asking.resolve("slow.test", 1)) for _ in range(50)]
    while not system.asked:  # noqa: ASYNC110 (threads tell nobody)
        await asyncio.sleep(0)
    system.answers["slow.test"] = "127.0.0.1"
    system.silent.set()

    found = await asyncio.gather(*tasks)

    assert system.asked == ["slow.test"]
    assert {entry["host"] for entries in found for entry in entries} == {"127.0.0.1"}
    assert not asking.unanswered


@pytest.mark.parametrize(
    "then",
    [
        None,
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        OSError(errno.EMFILE, "too many open files"),
    ],
    ids=["silence", "a failure that passes", "trouble of ours"],
)
async def test_the_last_address_serves_while_nobody_answers(
    system: System, monkeypatch: pytest.MonkeyPatch, then: OSError | None
) -> None:
    monkeypatch.setattr(lookup, "STALE_AFTER", 0.01)
    asking = Lookup()
    system.answers["once.test"] = "127.0.0.1"
    first = await asking.resolve("once.test", 1)
    if then is None:
        del system.answers["once.test"]
    else:
        system.answers["once.test"] = then

    assert await asking.resolve("once.test", 1) == first
    assert system.asked == ["once.test"] * 2


async def test_a_late_answer_serves_the_next(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT", 0.01)
    asking = Lookup()
    with pytest.raises(OSError, match="nobody answers"):
        await asking.resolve("late.test", 1)
    system.answers["late.test"] = "127.0.0.1"
    system.silent.set()
    while asking.unanswered:  # noqa: ASYNC110 (threads tell nobody)
        await asyncio.sleep(0)
    system.answers["late.test"] = socket.gaierror(socket.EAI_AGAIN, "try again")

    assert [entry["host"] for entry in await asking.resolve("late.test", 1)] == ["127.0.0.1"]


async def test_a_name_that_is_gone_is_gone(system: System) -> None:
    asking = Lookup()
    system.answers["gone.test"] = "127.0.0.1"
    await asking.resolve("gone.test", 1)
    system.answers["gone.test"] = socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(OSError, match="unknown"):
        await asking.resolve("gone.test", 1)


async def test_the_last_address_passes_the_guard_too(
    make_client: Callable[..., HttpClient], peer: Peer, system: System
) -> None:
    await peer.serve()
    system.answers["rebound.test"] = "169.254.169.254"

    with pytest.raises(NetworkError) as caught:
        await make_client().get(f"http://rebound.test:{peer.port}/", {}, deadline=DEADLINE)

    assert caught.value.kind is NetworkKind.ADDRESS


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_loop_ends_while_a_name_hangs(
    make_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System()
    monkeypatch.setattr(socket, "getaddrinfo", system.ask)
    monkeypatch.setattr(lookup, "LOOKUP_TIMEOUT", 0.01)

    async def ask() -> None:
        with pytest.raises(OSError, match="nobody answers"):
            await Lookup().resolve("dead.test", 1)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(ask())
    before = [thread for thread in threading.enumerate() if thread.name == "lookup"]
    system.silent.set()
    for thread in before:
        thread.join(HANG)

    assert before


async def test_a_thread_that_cannot_start_is_tried_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Lookup()
    system.answers["busy.test"] = "127.0.0.1"

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread"):
            await asking.resolve("busy.test", 1)

    assert [entry["host"] for entry in await asking.resolve("busy.test", 1)] == ["127.0.0.1"]


async def test_closing_amid_a_look_up_fails_as_disconnected(
    client: HttpClient, system: System
) -> None:
    asked = asyncio.create_task(client.get("http://dead.test/", {}, deadline=DEADLINE))
    async with asyncio.timeout(HANG):
        while not system.asked:  # noqa: ASYNC110 (threads tell nobody)
            await asyncio.sleep(0)

    await client.close()

    with pytest.raises(NetworkError) as caught:
        await asked
    assert caught.value.kind is NetworkKind.DISCONNECTED


async def test_a_connect_that_hangs_is_not_blamed_on_the_name(
    make_client: Callable[..., HttpClient], system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last address serves, and nobody answers there."""
    monkeypatch.setattr(lookup, "STALE_AFTER", 0.01)
    with full() as port:
        client = make_client()
        system.answers["once.test"] = "127.0.0.1"
        await client._lookup.resolve("once.test", port)
        del system.answers["once.test"]

        with pytest.raises(NetworkError) as caught:
            await client.get(f"http://once.test:{port}/", {}, deadline=SOON * 3)

    assert caught.value.kind is NetworkKind.TIMEOUT


@contextmanager
def full() -> Iterator[int]:
    """Listen with a queue that is full: the kernel drops every further SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listener.getsockname())
        yield listener.getsockname()[1]
