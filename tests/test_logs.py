import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from monitor import logs
from monitor.logs import set_up_logs
from tests.patient import HANG

SECRET = "whsec_c2VjcmV0"


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logs._queues.clear()  # the next file may get the same descriptor
    root.handlers[:] = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_off_a_terminal_each_event_is_one_line_of_json() -> None:
    out = io.StringIO()
    set_up_logs(level="info", log_format="auto", stream=out)

    structlog.stdlib.get_logger().warning("delivery.failed", receiver="crm", attempt=2, name="ä\n")

    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")  # type: ignore[attr-defined]
    assert line == {
        "event": "delivery.failed",
        "level": "warning",
        "receiver": "crm",
        "attempt": 2,
        "name": "ä\n",
    }


def test_every_line_of_json_names_the_instance() -> None:
    out = io.StringIO()
    set_up_logs(level="info", log_format="json", instance="second", stream=out)

    structlog.stdlib.get_logger().info("delivery.failed")
    logging.getLogger("foreign").warning("something")

    assert [line["instance"] for line in lines(out)] == ["second", "second"]


@pytest.mark.parametrize(
    ("log_format", "shows"), [("auto", True), ("console", True), ("json", False)]
)
def test_on_a_terminal_it_is_for_people_unless_json_is_asked_for(
    log_format: str, shows: bool
) -> None:
    out = Terminal()
    set_up_logs(level="info", log_format=log_format, stream=out)

    structlog.stdlib.get_logger().info("daemon.started", listen="127.0.0.1:8470")

    assert out.getvalue().startswith("{") is not shows
    assert "daemon.started" in out.getvalue()


def test_a_console_without_a_terminal_has_no_colours() -> None:
    out = io.StringIO()
    set_up_logs(level="info", log_format="console", stream=out)

    structlog.stdlib.get_logger().info("daemon.started")

    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_left_out(level: str, shown: list[str]) -> None:
    out = io.StringIO()
    set_up_logs(level=level, log_format="json", stream=out)
    log = structlog.stdlib.get_logger()

    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("said")

    assert [line["level"] for line in lines(out)] == shown


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_locals(log_format: str) -> None:
    out = Terminal()
    set_up_logs(level="info", log_format=log_format, stream=out)

    def crash() -> None:
        local = SECRET[:6] + SECRET[6:]
        raise ZeroDivisionError(len(local))

    try:
        crash()
    except ZeroDivisionError:
        structlog.stdlib.get_logger().exception("loop.crashed", loop="Writer")

    assert "ZeroDivisionError" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_what_other_libraries_say_is_passed_on_without_their_text() -> None:
    out = io.StringIO()
    set_up_logs(level="info", log_format="json", stream=out)
    foreign = logging.getLogger("aiohttp.client")

    foreign.info("not worth a word")
    foreign.warning("cannot reach https://hooks.example.com/%s", SECRET)
    error = ConnectionError(SECRET)
    foreign.error(SECRET, exc_info=(type(error), error, None))

    said = [{k: v for k, v in line.items() if k != "timestamp"} for line in lines(out)]
    told = {
        "event": "library.said", "level": "warning", "library": "aiohttp.client", "left_out": 0
    }  # fmt: skip
    assert said == [
        told | {"severity": "WARNING", "error": None},
        told | {"severity": "ERROR", "error": "ConnectionError"},
    ]
    assert SECRET not in out.getvalue()


def test_what_a_library_says_again_and_again_is_told_every_ten_minutes_with_how_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 1000.0
    monkeypatch.setattr("monitor.logs.time.monotonic", lambda: clock)
    out = io.StringIO()
    set_up_logs(level="info", log_format="json", stream=out)
    server = logging.getLogger("aiohttp.server")

    for _ in range(500):
        server.error("Error handling request", exc_info=ValueError(SECRET))
    server.error("another trouble")
    clock += 601
    server.error("Error handling request", exc_info=ValueError(SECRET))

    said = [(line["error"], line["left_out"]) for line in lines(out)]
    assert said == [("ValueError", 0), (None, 0), ("ValueError", 499)]


def test_however_many_kinds_there_are_few_are_remembered() -> None:
    out = io.StringIO()
    set_up_logs(level="info", log_format="json", stream=out)
    (handler,) = logging.getLogger().handlers

    for number in range(1000):
        logging.getLogger(f"library.{number}").warning("said")

    assert len(lines(out)) == logs._MOST_KINDS + 1
    assert isinstance(handler, logs._ForeignHandler)
    assert len(handler._told) <= logs._MOST_KINDS + 1


def test_the_log_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level="info", log_format="auto")

    structlog.stdlib.get_logger().info("daemon.started")

    assert json.loads(capsys.readouterr().out)["event"] == "daemon.started"
    assert sys.stdout is not None


def test_a_log_that_nobody_reads_any_more_disturbs_nobody() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    set_up_logs(level="info", log_format="json", stream=stream)
    log = structlog.stdlib.get_logger()
    log.info("daemon.started")
    os.close(reading)

    for _ in range(3):
        log.info("poll.failing", text="x" * 100_000)

    logs._queues[writing].drain(HANG)
    with pytest.raises(BrokenPipeError):  # it is really gone
        os.write(writing, b"x")
    stream.close()


def test_a_log_whose_output_was_closed_disturbs_nobody() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    set_up_logs(level="info", log_format="json", stream=stream)
    stream.close()

    structlog.stdlib.get_logger().info("poll.failing")

    with pytest.raises(ValueError, match="closed"):  # it is really gone
        stream.write("")


def test_what_the_output_cannot_spell_is_written_nevertheless() -> None:
    raw = io.BytesIO()
    set_up_logs(level="info", log_format="json", stream=io.TextIOWrapper(raw, encoding="ascii"))

    structlog.stdlib.get_logger().info("poll.failing", batch="Zoë", reason="half \ud83d")

    said = json.loads(raw.getvalue())
    assert (said["batch"], said["reason"]) == ("Zoë", "half \ud83d")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """Open a file that stands for the journal's socket: what its environment says is true of it."""
    with (tmp_path / "journal").open("w+") as out:
        found = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        yield out


def written(out: TextIO) -> list[str]:
    logs._queues[out.fileno()].drain(HANG)
    return Path(out.name).read_text().splitlines()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_journal_sees_each_lines_level(journal: TextIO, log_format: str) -> None:
    set_up_logs(level="debug", log_format=log_format, stream=journal)
    log = structlog.stdlib.get_logger()

    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    log.critical("e")
    logging.getLogger("foreign").error("something")

    assert [line[:3] for line in written(journal)] == ["<7>", "<6>", "<4>", "<3>", "<2>", "<4>"]


def test_every_line_of_a_traceback_has_its_level(journal: TextIO) -> None:
    set_up_logs(level="info", log_format="console", stream=journal)

    try:
        int("of a test")
    except ValueError:
        structlog.stdlib.get_logger().exception("loop.crashed")

    found = written(journal)
    assert len(found) > 3
    assert {line[:3] for line in found} == {"<3>"}


def test_another_output_than_the_journals_gets_no_levels(journal: TextIO, tmp_path: Path) -> None:
    """`monitor run > file` in a shell that a service started, say."""
    with (tmp_path / "another").open("w+") as out:
        set_up_logs(level="info", log_format="json", stream=out)
        structlog.stdlib.get_logger().info("b")

        assert [line[0] for line in written(out)] == ["{"]
