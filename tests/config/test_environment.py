from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.schema import database_url
from monitor.core.errors import ConfigError

Write = Callable[[str], Path]


def mistakes_in(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load(path)
    assert all("\n" not in mistake for mistake in refusal.value.mistakes)
    return [mistake.removeprefix(f"{path}:") for mistake in refusal.value.mistakes]


def mistake_in(path: Path) -> str:
    (mistake,) = mistakes_in(path)
    return mistake


def test_variables_win_over_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_DATABASE_URL", "sqlite:///other.db")
    monkeypatch.setenv("MONITOR_LISTEN", ":0")
    monkeypatch.setenv("MONITOR_LOG_LEVEL", "warning")
    monkeypatch.setenv("MONITOR_LOG_FORMAT", "json")
    monkeypatch.setenv("MONITOR_INSTANCE", "worker-2.example")

    config = load(write('[database]\nurl_file = "nowhere"\n[monitor]\nlog_level = "debug"\n'))

    assert database_url(config) == f"sqlite:///{tmp_path}/other.db"
    assert config.server.address == ("", 0)
    assert (config.monitor.log_level, config.monitor.log_format) == ("warning", "json")
    assert config.monitor.instance == "worker-2.example"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MONITOR_DATABASE_URL", "mysql://u:hunter2@h"),
        ("MONITOR_LISTEN", "hunter2"),
        ("MONITOR_LOG_LEVEL", "hunter2"),
        ("MONITOR_LOG_FORMAT", "hunter2"),
        ("MONITOR_INSTANCE", "hunter2 "),
        ("MONITOR_INSTANCE", "hunter2/"),
    ],
)
def test_a_bad_variable_is_a_mistake_that_names_it(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    if value.endswith(" "):
        assert load(write("")).monitor.instance == value.strip()
        return
    mistakes = mistakes_in(write("[polling]\nconcurrency = 0\n"))
    assert len(mistakes) == 2
    assert any(line.startswith(f"the environment variable {variable} must be") for line in mistakes)
    assert "hunter2" not in "".join(mistakes)


def test_an_empty_variable_counts_as_not_set(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_LISTEN", "")

    assert load(write("")).server.address[1] == 8470


def test_a_variable_does_not_hide_a_table_of_the_wrong_type(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_LISTEN", ":1")

    assert mistake_in(write("server = 1")) == "1: server: must be a table"


@pytest.mark.parametrize(
    ("host", "instance"),
    [("Mac-Book.local", "mac-book.local"), ("_x y", "x-y"), ("", "monitor"), ("a" * 99, "a" * 63)],
)
def test_the_instance_is_named_after_the_host(
    write: Write, monkeypatch: pytest.MonkeyPatch, host: str, instance: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)

    assert load(write("")).monitor.instance == instance
