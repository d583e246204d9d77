from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.load import load
from monitor.config.schema import database_url
from monitor.core.errors import ConfigError, SecretMissingError

Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:////var/lib/monitor.db", "sqlite:////var/lib/monitor.db"),
        ("postgresql://u:p%40@h:5432/n", "postgresql://u:p%40@h:5432/n"),
        ("postgres://u@h/n", "postgresql://u@h/n"),
    ],
)
def test_an_absolute_url_stays_as_it_is(write: Write, url: str, found: str) -> None:
    assert database_url(load(write(f'[database]\nurl = "{url}"'))) == found


def test_a_folder_with_special_characters_survives_in_the_url(tmp_path: Path) -> None:
    folder = tmp_path / "100%?"
    folder.mkdir()
    (folder / "config.toml").write_text("", encoding="utf-8")

    assert database_url(load(folder / "config.toml")).endswith("/100%25%3F/monitor.db")


def test_the_url_is_read_when_it_is_used(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(write('[database]\nurl_env = "DB_URL"'))

    with pytest.raises(SecretMissingError, match=r"database\.url: .* DB_URL is not set"):
        database_url(config)
    monkeypatch.setenv("DB_URL", "mysql://u:hunter2@h")
    with pytest.raises(ConfigError, match=r"database\.url: must be") as refusal:
        database_url(config)
    assert "hunter2" not in str(refusal.value)
    monkeypatch.setenv("DB_URL", "postgresql://u@h/n")
    assert database_url(config) == "postgresql://u@h/n"
