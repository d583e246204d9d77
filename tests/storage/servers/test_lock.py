import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.core.errors import DatabaseLockedError, StorageError
from monitor.storage.servers.lock import hold_file

HOLD = """
import sys
from pathlib import Path
from monitor.storage.servers.lock import hold_file

with hold_file(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"

    pid = os.getpid()
    refused = pytest.raises(
        DatabaseLockedError, match=rf"another `monitor run` \(pid {pid}\) holds .*monitor\.db"
    )
    with hold_file(file), refused, hold_file(file):
        pass
    with hold_file(file):
        pass


def test_another_process_is_refused_and_its_death_frees_the_file(tmp_path: Path) -> None:
    file = tmp_path / "monitor.db"
    other = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        with pytest.raises(DatabaseLockedError, match=rf"\(pid {other.pid}\)"), hold_file(file):
            pass
        other.kill()

    with hold_file(file):
        pass


def test_the_lock_has_a_private_file_of_its_own_beside_the_database(tmp_path: Path) -> None:
    with hold_file(tmp_path / "monitor.db"):
        (lock,) = tmp_path.iterdir()

    assert lock.name == "monitor.db.lock"
    assert lock.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("stale", ["4711", "no pid at all"])
def test_nobody_is_named_who_held_the_file_before(tmp_path: Path, stale: str) -> None:
    file = tmp_path / "monitor.db"
    (tmp_path / "monitor.db.lock").write_text(stale)

    refused = pytest.raises(DatabaseLockedError, match=r"another `monitor run` holds .*monitor\.db")
    with hold_file(file, shared=True), refused, hold_file(file):
        pass


def test_a_holder_that_could_not_sign_goes_without_a_pid(tmp_path: Path) -> None:
    file, lock = tmp_path / "monitor.db", tmp_path / "monitor.db.lock"

    refused = pytest.raises(DatabaseLockedError, match=r"another `monitor run` holds .*monitor\.db")
    with hold_file(file):
        lock.write_text("")
        with refused, hold_file(file):
            pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"there is no folder .*/gone"),
        hold_file(tmp_path / "gone" / "monitor.db"),
    ):
        pass


def test_postgres_needs_no_lock() -> None:
    with hold_file(None), hold_file(None):
        pass


def test_the_same_file_by_another_name_is_the_same_file(tmp_path: Path) -> None:
    file, link = tmp_path / "monitor.db", tmp_path / "link.db"
    file.touch()
    link.symlink_to(file)

    with hold_file(file), pytest.raises(DatabaseLockedError), hold_file(link):
        pass


def test_a_link_in_the_locks_place_leads_nowhere(tmp_path: Path) -> None:
    """Root would empty whatever the daemon's user lets it lead to, and give it away."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "monitor.db.lock").symlink_to(precious)

    with pytest.raises(StorageError, match="cannot be opened"), hold_file(tmp_path / "monitor.db"):
        pass

    assert precious.read_text() == "precious"
