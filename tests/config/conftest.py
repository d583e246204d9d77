from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATABASE_URL", "LISTEN", "LOG_LEVEL", "LOG_FORMAT", "INSTANCE"):
        monkeypatch.delenv(f"MONITOR_{name}", raising=False)
    for name in ("BOLNA_API_KEY", "SLACK_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
