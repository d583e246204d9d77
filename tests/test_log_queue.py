import fcntl
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from monitor.log_queue import MOST, LogQueue
from tests.patient import HANG

LINE = f"{'x' * 1023}\n"


class Pipe:
    """An output that is read when a test says so; it holds one page, as little as there is."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, 4096)
        self.told: list[int] = []
        self.queue = LogQueue(self.writing, self.tell)

    def tell(self, lines: int) -> None:
        self.told.append(lines)
        self.queue.write(f"dropped {lines}\n")

    def read_until(self, end: str) -> list[str]:
        """Return the lines that came, up to this one."""
        found = b""
        while not found.endswith(f"{end}\n".encode()):
            found += os.read(self.reading, 65536)
        return found.decode().splitlines()

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    one.close()


def test_lines_come_out_whole_and_in_order(pipe: Pipe) -> None:
    for number in range(100):
        pipe.queue.write(f"{number}\n")

    assert pipe.read_until("99") == [str(number) for number in range(100)]


def test_an_output_that_nobody_empties_keeps_nobody_waiting(pipe: Pipe) -> None:
    for _ in range(2 * MOST // len(LINE)):
        pipe.queue.write(LINE)

    assert pipe.queue.dropped > 0
    assert pipe.queue._held <= MOST


def test_what_is_missing_is_one_piece_and_told_in_its_place(pipe: Pipe) -> None:
    taken = MOST // len(LINE)
    for _ in range(taken):
        pipe.queue.write(LINE)
    for _ in range(7):
        pipe.queue.write(LINE)

    found = pipe.read_until("dropped 7")
    pipe.queue.write("and on\n")

    assert found == [LINE.strip()] * taken + ["dropped 7"]
    assert pipe.read_until("and on") == ["and on"]
    assert (pipe.queue.dropped, pipe.told) == (7, [7])


def test_a_line_that_is_too_long_is_dropped_alone(pipe: Pipe) -> None:
    """A refused reload, say, with as many reasons as the file has lines."""
    pipe.queue.write("x" * (MOST + 1))
    pipe.queue.write("and on\n")

    assert pipe.read_until("and on") == ["dropped 1", "and on"]
    assert pipe.queue.dropped == 1


def test_the_end_does_not_wait_for_a_stuck_output(pipe: Pipe) -> None:
    pipe.queue.write(LINE * 8)

    began = time.monotonic()
    pipe.queue.drain(0.01)

    assert time.monotonic() - began < HANG
    assert pipe.queue._held  # it is really stuck


def test_the_end_waits_for_what_is_being_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as out:
        queue = LogQueue(out.fileno(), lambda _: None)
        for _ in range(100):
            queue.write(LINE)
        queue.drain(HANG)

    assert (tmp_path / "log").read_text() == LINE * 100


def test_an_output_that_somebody_made_non_blocking_gets_its_lines_whole(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)

    pipe.queue.write(LINE * 100)
    pipe.queue.write("end\n")

    assert pipe.read_until("end") == [LINE.strip()] * 100 + ["end"]


def test_what_an_output_refuses_is_counted_and_told_once_it_takes_lines_again(
    tmp_path: Path,
) -> None:
    """As a full disk does: what stands in for it here is the limit on a file's size."""
    told: list[int] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with (tmp_path / "log").open("wb") as out:
        queue = LogQueue(out.fileno(), told.append)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
            queue.write(f"{'a' * 59}\n")
            queue.drain(HANG)
            queue.write(f"{'b' * 59}\n")
            queue.drain(HANG)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        queue.write("c\n")
        queue.drain(HANG)

    assert (tmp_path / "log").read_text().splitlines() == ["a" * 59, "b" * 40, "c"]
    assert (queue.dropped, told) == (1, [1])


def test_of_lines_that_are_written_together_only_those_missing_are_counted(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with (tmp_path / "log").open("wb") as out:
        queue = LogQueue(out.fileno(), lambda _: None)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (250, before[1]))
            queue.write(f"{'a' * 99}\n" * 10)
            queue.drain(HANG)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)

    assert (tmp_path / "log").read_text().count("\n") == 2
    assert queue.dropped == 8


def test_an_output_that_is_gone_is_dropped_for(pipe: Pipe) -> None:
    os.close(pipe.reading)

    pipe.queue.write("one\n")
    pipe.queue.drain(HANG)
    pipe.queue.write("two\n")
    pipe.queue.drain(HANG)

    assert (pipe.queue.dropped, pipe.told) == (2, [])


def test_what_cannot_be_spelled_is_written_as_its_escape(pipe: Pipe) -> None:
    pipe.queue.write("Zoë half \ud83d\n")

    assert os.read(pipe.reading, 100).decode() == "Zoë half \\ud83d\n"
