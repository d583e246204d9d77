import pytest


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATABASE_URL", "LISTEN", "LOG_LEVEL", "LOG_FORMAT", "INSTANCE"):
        monkeypatch.delenv(f"MONITOR_{name}", raising=False)
