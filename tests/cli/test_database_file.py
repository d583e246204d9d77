import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.storage.store import NOW, Store

pytestmark = pytest.mark.usefixtures("in_force")


async def test_a_back_up_and_its_restore_say_what_they_hold(
    monitor: Run, store: Store, tmp_path: Path
) -> None:
    await store.add("x")
    await store.tell("x", at=NOW)
    copy = tmp_path / "copy.db"

    made = await monitor("backup", str(copy))
    await store.tell("x")
    await store.database.close()
    put_back = await monitor("restore", str(copy))

    holds = r"[0-9.]+ KB, schema [0-9]{4}, 1 event, the newest of 2026-01-29 08:31:00 UTC"
    assert re.fullmatch(f"{re.escape(str(copy))}: {holds}\n", made.out)
    restored, kept = put_back.out.splitlines()
    assert re.fullmatch(f".*monitor\\.db: {holds}", restored)
    assert kept.startswith("what stood there is kept as ")
    assert kept.endswith("monitor.db.replaced, until the next restore")
    assert len((await monitor("events", "-o", "json")).json) == 1


async def test_a_file_that_is_there_is_replaced_only_by_force(
    monitor: Run, store: Store, tmp_path: Path
) -> None:
    await store.add("x")
    copy = tmp_path / "copy.db"
    copy.write_text("precious")

    refused = await monitor("backup", str(copy))
    forced = await monitor("backup", str(copy), "--force")

    assert (refused.code, forced.code) == (1, 0)
    assert "is there already: name another file, or replace it by --force" in refused.err


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("backup", "pg_dump -Fc -f 'my copy.db' '{url}'"),
        ("restore", "pg_restore --clean --if-exists -d '{url}' 'my copy.db'"),
    ],
)
async def test_on_postgres_it_says_how(
    monitor: Run, monkeypatch: pytest.MonkeyPatch, command: str, line: str
) -> None:
    """By a line that can be pasted, and shows no password."""
    url = "postgresql://monitor:s3cret@db/monitor?sslmode=require&sslpassword=s3cret"
    monkeypatch.setenv("MONITOR_DATABASE_URL", url)

    ended = await monitor(command, "my copy.db")

    shown = "postgresql://monitor@db/monitor?sslmode=require"
    assert ended.code == 1
    assert ended.err.splitlines()[-1].strip() == line.format(url=shown)
    assert "s3cret" not in ended.err
