import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config import load as loading
from monitor.config.load import load
from monitor.config.schema import DeclaredBatch, database_url
from monitor.core.errors import ConfigError
from monitor.core.matcher_text import parse_matchers
from monitor.core.routing import Route

Write = Callable[[str], Path]

CONTRACT = r"""
[monitor]
log_level = "debug"
retention = "7d"

[database]
url = "sqlite:///data/monitor.db"

[server]
listen = "[::1]:0"

[polling]
interval = "1m30s"
concurrency = 7

[sources.bolna-prod]
provider = "bolna"
api_key_env = "BOLNA_API_KEY"
labels = { env = "prod" }

[sources.vogent]
provider = "vogent"
api_key_file = "vogent-key"

[[batches]]
source = "bolna-prod"
id = "3c90c3cc0d444b5088888dd25736052a"
labels = { team = "collections" }

[receivers.ops]
kind = "slack"
webhook_url_env = "SLACK_WEBHOOK_URL"

[[routes]]
receiver = "ops"
matchers = ['type !~ "batch\.(first_seen|counts_changed)"', 'team = collections']
[[routes]]
receiver = "ops"
"""


def test_a_file_becomes_typed_tables(write: Write, tmp_path: Path) -> None:
    config = load(write(CONTRACT))

    assert config.path == tmp_path / "config.toml"
    assert config.monitor.log_level == "debug"
    assert config.monitor.retention == timedelta(days=7)
    assert config.server.address == ("::1", 0)
    assert config.polling.interval == timedelta(seconds=90)
    assert config.polling.concurrency == 7
    assert list(config.sources) == ["bolna-prod", "vogent"]
    assert config.sources["bolna-prod"].labels == {"env": "prod"}
    assert config.sources["vogent"].held_secrets()[0].file == str(tmp_path / "vogent-key")
    assert config.batches == (
        DeclaredBatch(
            source="bolna-prod",
            id="3c90c3cc0d444b5088888dd25736052a",
            labels={"team": "collections"},
        ),
    )
    assert config.receivers["ops"].kind == "slack"
    assert config.routes == (
        Route(
            receiver="ops",
            matchers=(
                *parse_matchers(r'type !~ "batch\.(first_seen|counts_changed)"'),
                *parse_matchers("team = collections"),
            ),
        ),
        Route(receiver="ops"),
    )


def test_an_empty_file_means_all_defaults(write: Write, tmp_path: Path) -> None:
    config = load(write(""))

    assert (config.monitor.log_level, config.monitor.log_format) == ("info", "auto")
    assert config.monitor.retention == timedelta(days=30)
    assert config.server.address == ("127.0.0.1", 8470)
    assert config.polling.interval == timedelta(seconds=30)
    assert config.polling.idle_interval == timedelta(minutes=5)
    assert config.polling.settled_interval == timedelta(hours=1)
    assert config.polling.forget_after == timedelta(days=1)
    assert config.polling.deadline == timedelta(seconds=15)
    assert config.polling.concurrency == 100
    assert database_url(config) == f"sqlite:///{tmp_path}/monitor.db"
    assert (config.sources, config.batches, config.receivers, config.routes) == ({}, (), {}, ())


def test_a_byte_order_mark_does_no_harm(write: Write) -> None:
    assert load(write('\ufeff[monitor]\nlog_level = "error"\n')).monitor.log_level == "error"


def test_a_config_is_frozen(write: Write) -> None:
    config = load(write(""))

    with pytest.raises(AttributeError):
        config.path = Path()  # type: ignore[misc]  # that is the point
    with pytest.raises(ValueError, match="frozen"):
        config.polling.concurrency = 1


def test_the_given_path_wins_over_the_variable(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("", encoding="utf-8")
    monkeypatch.setenv("MONITOR_CONFIG", str(other))

    assert load(write("")).path.name == "config.toml"
    assert load().path == other


def test_the_working_directory_comes_before_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system = tmp_path / "etc.toml"
    monkeypatch.setattr(loading, "PLACES", (Path("config.toml"), system))
    system.write_text("", encoding="utf-8")

    assert load().path == system

    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    assert load().path == tmp_path / "config.toml"


def test_without_a_file_it_says_where_it_looked_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "PLACES", (Path("config.toml"), Path("/nowhere/config.toml")))

    with pytest.raises(ConfigError) as refusal:
        load()

    (line,) = refusal.value.mistakes
    assert "config.toml" in line
    assert "/nowhere/config.toml" in line
    assert "`monitor init`" in line


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_named_file_that_is_not_there_is_not_replaced_by_another(
    by: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("").parent)
    absent = tmp_path / "absent.toml"
    monkeypatch.setenv("MONITOR_CONFIG", str(absent) if by == "variable" else "")

    with pytest.raises(ConfigError, match=re.escape(f"there is no {absent};")):
        load(absent if by == "argument" else None)


def test_a_directory_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{re.escape(str(tmp_path))}: cannot be read: Is a dir"):
        load(tmp_path)


def test_a_file_that_cannot_be_opened_is_named_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "loop.toml"
    loop.symlink_to(loop)

    with pytest.raises(ConfigError, match=r"loop\.toml: cannot be read: "):
        load(loop)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[monitor]\n\nlog_level info\n", 3),
        ('[monitor]\nlog_level = "x\n', 2),
        ("[monitor]\n\n[monitor]\n", 3),
        ("a = 1\na = 2\n", 2),
        ("[server]\nlisten = [1,\n", 2),
        ('[monitor]\n# \x00\nlog_level = "x"', 2),
    ],
)
def test_a_syntax_error_is_one_mistake_with_its_line(write: Write, text: str, line: int) -> None:
    assert only_mistake(write(text)).startswith(f"{line}: is not valid TOML: ")


def test_text_that_is_not_utf_8_is_one_mistake_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[monitor]\n# caf\xe9\n")

    assert only_mistake(path) == "2: is not UTF-8 text"


@pytest.mark.parametrize("text", [f"a = {'9' * 5000}", f"a = {'[' * 50_000}"])
def test_what_breaks_the_parser_is_a_mistake_too(write: Write, text: str) -> None:
    assert "is not valid TOML" in only_mistake(write(text))


def only_mistake(path: Path) -> str:
    with pytest.raises(ConfigError) as refusal:
        load(path)
    (mistake,) = refusal.value.mistakes
    return mistake.removeprefix(f"{path}:")
