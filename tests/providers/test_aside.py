"""A large answer is read in a process of its own; whatever becomes of that, nobody else waits."""

import asyncio
import gc
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from monitor.core.errors import PollError
from monitor.core.failure import FailureKind
from monitor.providers import aside
from tests.descriptors import no_descriptors
from tests.patient import HANG

Until = Callable[..., Awaitable[None]]

SMALL = b"x"
Read = TypeVar("Read")
LARGE = bytes(range(256)) * 8192


async def read_aside(
    read: Callable[[bytes], Read], document: bytes, *, seconds: float = HANG
) -> Read:
    until = asyncio.get_running_loop().time() + seconds
    return await aside.read_aside(read, document, until=until)


def whose(document: bytes) -> tuple[int, int]:
    return os.getpid(), hash_of(document)


def hash_of(document: bytes) -> int:
    return sum(document[::1021])


def refuse(document: bytes) -> None:
    raise PollError(
        FailureKind.EXPRESSION, 200, expression="total", reason=f"{len(document)} bytes"
    )


def die(document: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def busy(document: bytes) -> None:
    while True:
        pass


def greedy(document: bytes) -> int:
    return len(bytes(aside.MEMORY_LIMIT))


async def soon() -> float:
    return asyncio.get_running_loop().time() + HANG


class Dying:
    """Kills the process that reads, as often as its file says."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, document: bytes) -> int:
        left = int(self.file.read_text())
        self.file.write_text(str(left - 1))
        if left:
            os.kill(os.getpid(), signal.SIGKILL)
        return len(document)


class Hanging:
    """Makes its file, and ends no more."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, document: bytes) -> None:
        self.file.touch()
        signal.pause()


async def test_a_small_answer_is_read_here_and_a_large_one_elsewhere() -> None:
    assert await read_aside(whose, SMALL) == (os.getpid(), hash_of(SMALL))

    there, found = await read_aside(whose, LARGE)

    assert there != os.getpid()
    assert found == hash_of(LARGE)
    assert await read_aside(whose, LARGE) == (there, found)


async def test_all_that_wait_are_read_in_turn_by_one_process() -> None:
    found = await asyncio.gather(*(read_aside(whose, LARGE) for _ in range(5)))

    assert len(set(found)) == 1


async def test_what_does_not_fit_is_told_as_it_is_here() -> None:
    with pytest.raises(PollError) as caught:
        await read_aside(refuse, LARGE)

    error = caught.value
    assert (error.kind, error.status_code) == (FailureKind.EXPRESSION, 200)
    assert (error.expression, error.reason) == ("total", f"{len(LARGE)} bytes")


async def test_a_process_that_somebody_ended_is_replaced(tmp_path: Path) -> None:
    dying = Dying(tmp_path / "left")
    dying.file.write_text("1")

    assert await read_aside(dying, LARGE) == len(LARGE)


async def test_an_answer_that_no_process_survives_is_too_large() -> None:
    with pytest.raises(PollError) as caught:
        await read_aside(die, LARGE)

    assert caught.value.kind is FailureKind.TOO_LARGE
    assert (await read_aside(whose, LARGE))[1] == hash_of(LARGE)


async def test_whoever_gives_up_ends_it_and_lets_the_next_one_read(
    tmp_path: Path, until: Until
) -> None:
    file = tmp_path / "begun"
    hanging = asyncio.create_task(read_aside(Hanging(file), LARGE))
    waiting = asyncio.create_task(read_aside(whose, LARGE))
    await until(file.exists)
    assert not waiting.done()

    hanging.cancel()

    async with asyncio.timeout(HANG):
        assert (await waiting)[1] == hash_of(LARGE)


async def test_a_process_that_cannot_be_started_is_our_own_want() -> None:
    with no_descriptors(), pytest.raises(PollError) as caught:
        await read_aside(whose, LARGE)

    assert caught.value.kind is FailureKind.DESCRIPTORS


async def test_what_nobody_has_time_to_read_is_not_too_large(tmp_path: Path, until: Until) -> None:
    file = tmp_path / "begun"
    await read_aside(whose, LARGE)
    hanging = asyncio.create_task(read_aside(Hanging(file), LARGE, seconds=3))
    await until(file.exists)

    with pytest.raises(PollError) as waited:
        await read_aside(whose, LARGE, seconds=0)
    with pytest.raises(PollError) as hung:
        await hanging

    assert waited.value.kind is FailureKind.ROOM
    assert hung.value.kind is FailureKind.ROOM
    assert hung.value.reason == "there was no time left to read it"


async def test_what_takes_too_much_cpu_time_to_read_is_too_large_and_its_process_reads_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aside, "LONGEST_READ", 0.25)
    there, _ = await read_aside(whose, LARGE)

    with pytest.raises(PollError) as caught:
        await read_aside(busy, LARGE)

    assert caught.value.kind is FailureKind.TOO_LARGE
    assert caught.value.reason == "reading it takes more than 0.25 s of CPU time"
    assert (await read_aside(whose, LARGE))[0] == there


async def test_what_takes_too_much_memory_to_read_is_too_large() -> None:
    with pytest.raises(PollError) as caught:
        await read_aside(greedy, LARGE)

    assert caught.value.kind is FailureKind.TOO_LARGE
    assert caught.value.reason == "reading it takes more than 1,024 MiB of memory"


async def test_a_short_answer_of_many_values_is_read_elsewhere() -> None:
    here, _ = await read_aside(whose, b"[" + b"0," * 990 + b"0]")
    there, _ = await read_aside(whose, b"[" + b"0," * 1_000 + b"0]")

    assert here == os.getpid()
    assert there != os.getpid()


async def test_each_has_its_turn_but_long_ones_come_last(tmp_path: Path, until: Until) -> None:
    order: list[int] = []

    async def wait_for(length: int) -> None:
        await read_aside(len, bytes(length))
        order.append(length)

    file = tmp_path / "begun"
    hanging = asyncio.create_task(read_aside(Hanging(file), LARGE))
    await until(file.exists)
    async with asyncio.TaskGroup() as waiting:
        for length in (2 * aside.LONG, 200_000, 3 * aside.LONG, 100_000):
            waiting.create_task(wait_for(length))
        await asyncio.sleep(0)
        hanging.cancel()

    assert order == [200_000, 100_000, 2 * aside.LONG, 3 * aside.LONG]


async def test_a_signal_to_the_process_is_none_to_the_daemon() -> None:
    there, _ = await read_aside(whose, LARGE)

    os.kill(there, signal.SIGINT)

    assert (await read_aside(whose, LARGE))[0] == there


async def test_no_error_keeps_what_it_is_about() -> None:
    with pytest.raises(PollError) as caught:
        await aside.read_aside(refuse, document := bytes(100_000), until=await soon())

    frames = traceback.walk_tb(caught.value.__traceback__)
    held = [
        name for frame, _ in frames for name, value in frame.f_locals.items() if value is document
    ]
    assert held == ["document"]  # this test's own


async def test_no_module_of_the_working_directory_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('this is not yours')")
    monkeypatch.chdir(tmp_path)

    assert (await read_aside(whose, LARGE))[1] == hash_of(LARGE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_process_that_does_not_start_is_our_own_want(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")

    with pytest.raises(PollError) as caught:
        await read_aside(whose, LARGE)

    assert caught.value.kind is FailureKind.ROOM
    assert caught.value.reason == "no process starts to read it"
    caught.value.__traceback__ = None
    del caught
    gc.collect()  # anyio leaves its transport to that, which warns


async def test_whoever_is_cancelled_while_it_starts_leaves_none_behind() -> None:
    before = await children()
    for _ in range(3):
        reading = asyncio.create_task(read_aside(whose, LARGE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading

    await read_aside(whose, LARGE)

    assert len(await children() - before) == 1


async def children() -> set[int]:
    listing = await asyncio.create_subprocess_exec(
        *("ps", "-o", "pid=,args=", "--ppid", str(os.getpid())), stdout=asyncio.subprocess.PIPE
    )
    lines = (await listing.communicate())[0].decode().splitlines()
    return {int(line.split()[0]) for line in lines if "anyio.to_process" in line}
