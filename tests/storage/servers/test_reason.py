import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from monitor.core.errors import DataRefusedError, NotAdmittedError, StorageError
from monitor.storage.database import Database
from monitor.storage.servers.reason import kind_of, reason_of
from tests.postgres import Postgres
from tests.storage.store import Store

Open = Callable[[str], Database]

PASSWORD = "s3cret-word"


async def refusal_of(database: Database) -> StorageError:
    with pytest.raises(StorageError) as caught:
        await database.now()
    assert PASSWORD not in str(caught.value)
    assert "Error" not in str(caught.value)
    return caught.value


async def test_a_database_that_is_missing_is_named_with_what_makes_it(
    empty_postgres_url: str, open_database: Open
) -> None:
    url = make_url(empty_postgres_url).set(database="nodb")

    refusal = await refusal_of(open_database(url.render_as_string(hide_password=False)))

    assert isinstance(refusal, NotAdmittedError)
    assert str(refusal).endswith("no database of this name: `createdb` makes one")


async def test_a_user_that_is_missing_is_refused(
    empty_postgres_url: str, open_database: Open
) -> None:
    url = make_url(empty_postgres_url).set(username="norole", password=PASSWORD)

    refusal = await refusal_of(open_database(url.render_as_string(hide_password=False)))

    assert isinstance(refusal, NotAdmittedError)
    assert str(refusal).endswith("its user or password is refused: check database.url")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            'FATAL:  password authentication failed for user "u"',
            "its user or password is refused: check database.url",
        ),
        ("fe_sendauth: no password supplied", "its user or password is refused: check"),
        ("transaction blocks not allowed in statement pooling mode", "it is a pool that takes no"),
        ("FATAL:  unsupported startup parameter: options", "it is a pool that does not know"),
        ('FATAL:  no pg_hba.conf entry for host "::1", user "u"', "its pg_hba.conf admits no such"),
        ("Network is unreachable", "nobody answers there"),
        ("disk I/O error", "disk I/O error: make sure that the disk has room"),
        ("FATAL:  the database system is starting up", "the database system is starting up"),
    ],
)
def test_what_a_server_answers_to_a_connection_is_put_in_our_words(told: str, reason: str) -> None:
    told = f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {told}\nmore'
    error = exc.OperationalError("SELECT 1", {"value": PASSWORD}, psycopg.OperationalError(told))

    assert reason_of(error).startswith(reason)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("u:{0}@127.0.0.1:1/name", "nobody answers there: is Postgres running"),
        ("u:{0}@/name?host=/nowhere", "nobody answers there: is Postgres running"),
        ("u:{0}@none.invalid/name", "its host has no address: check database.url"),
        ("u:{0}@127.0.0.1:99999/name", 'failed: invalid port number: "99999"'),
        ("u:{0}@127.0.0.1:1/name?sslmode=no", 'failed: invalid sslmode value: "no"'),
        ("u:{0}@127.0.0.1:1/name?extra={0}x", 'failed: invalid connection option "extra"'),
    ],
)
async def test_a_server_that_cannot_be_asked_is_named_with_what_to_look_at(
    open_database: Open, where: str, reason: str
) -> None:
    refusal = await refusal_of(open_database(f"postgresql://{where.format(PASSWORD)}"))

    assert not isinstance(refusal, NotAdmittedError)
    assert reason in str(refusal)


async def test_a_server_that_takes_nobody_now_may_take_us_later(
    empty_postgres_url: str, postgres: Postgres, open_database: Open
) -> None:
    with postgres.away(empty_postgres_url):
        refusal = await refusal_of(open_database(empty_postgres_url))

    assert not isinstance(refusal, NotAdmittedError)
    assert str(refusal).endswith("is not currently accepting connections")


async def test_a_value_that_is_refused_is_told_by_its_kind_alone(
    postgres_url: str, open_database: Open
) -> None:
    with pytest.raises(DataRefusedError) as caught:
        await Store(open_database(postgres_url)).run(f"SELECT CAST('{PASSWORD}' AS integer)")

    assert str(caught.value).endswith("refuses a value: invalid text representation")


def test_an_error_without_a_drivers_text_is_told_by_its_kind(tmp_path: Path) -> None:
    silent = exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError(""))

    assert reason_of(silent) == "operational error"
    assert reason_of(exc.ResourceClosedError(str(tmp_path))) == "resource closed error"
    assert kind_of(OverflowError(PASSWORD)) == "overflow error"
