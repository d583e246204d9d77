"""Postgres as people have it: pools before it, encodings, rights, options of their own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from monitor.core.errors import DatabaseUnfitError
from monitor.storage.database import Database
from monitor.storage.schema.version import NEWEST, migrate
from tests.pool import run_pool
from tests.postgres import Postgres
from tests.storage.store import Store

Open = Callable[[str], Database]

NAMED = """Ms. "O'Reilly"""


def with_query(url: str, **query: str) -> str:
    return make_url(url).update_query_dict(query).render_as_string(hide_password=False)


async def shown(database: Database, name: str) -> str:
    def show(connection: Connection) -> str:
        return str(connection.execute(text(f"SHOW {name}")).scalar_one())

    return await database.read(show)


@pytest.mark.parametrize("in_turn", [False, True])
async def test_a_pool_of_transactions_is_refused_with_what_to_do(
    empty_postgres_url: str, open_database: Open, in_turn: bool
) -> None:
    async with run_pool(empty_postgres_url, "transaction", in_turn=in_turn) as pool:
        database = open_database(pool.url)

        with pytest.raises(DatabaseUnfitError, match=r"own address .* pool_mode = session"):
            await migrate(database)
        await database.close()

    store = Store(open_database(empty_postgres_url))
    assert await store.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_pool_of_sessions_does(empty_postgres_url: str, open_database: Open) -> None:
    async with run_pool(empty_postgres_url, "session") as pool:
        database = open_database(pool.url)

        assert await migrate(database) == (None, NEWEST)
        assert await shown(database, "statement_timeout") == "10s"
        await database.close()


@pytest.fixture(params=["LATIN1", "WIN1252", "EUC_JP"])
def narrow_url(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    """Return the URL of a database whose encoding does not hold every name."""
    url = postgres.create(encoding=request.param)
    yield url
    postgres.drop(url)


async def test_an_encoding_that_does_not_hold_every_name_is_refused(
    narrow_url: str, open_database: Open, request: pytest.FixtureRequest
) -> None:
    encoding = request.node.callspec.params["narrow_url"]

    with pytest.raises(DatabaseUnfitError, match=rf"encoded in {encoding}, .* --encoding UTF8"):
        await migrate(open_database(narrow_url))


@pytest.fixture
def unprivileged_url(postgres: Postgres, empty_postgres_url: str) -> Iterator[str]:
    """Return the URL of a database by a user who may make nothing in it."""
    with postgres.without_rights(empty_postgres_url, NAMED) as url:
        yield url


async def test_a_user_who_may_make_no_tables_is_told_the_grant(
    unprivileged_url: str, empty_postgres_url: str, open_database: Open
) -> None:
    database = open_database(unprivileged_url)

    with pytest.raises(DatabaseUnfitError) as caught:
        await migrate(database)
    grant = str(caught.value).partition("as its owner, ")[2]
    Postgres(empty_postgres_url).execute(grant)

    assert grant == """GRANT USAGE, CREATE ON SCHEMA public TO "Ms. ""O'Reilly";"""
    assert await migrate(database) == (None, NEWEST)
    await database.close()


async def test_a_schema_that_is_not_there_is_named(
    empty_postgres_url: str, open_database: Open
) -> None:
    database = open_database(with_query(empty_postgres_url, options="-c search_path=nowhere"))

    with pytest.raises(DatabaseUnfitError, match=r"search_path \(nowhere\) .* CREATE SCHEMA"):
        await migrate(database)
    await Store(database).run("CREATE SCHEMA nowhere")

    assert await migrate(database) == (None, NEWEST)
    await database.close()


@pytest.mark.parametrize("by", ["url", "environment"])
async def test_options_of_ones_own_are_kept_and_ours_are_added(
    postgres_url: str, open_database: Open, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    options = "-c statement_timeout=7s -c work_mem=5MB"
    if by == "environment":
        monkeypatch.setenv("PGOPTIONS", options)
        url = postgres_url
    else:
        url = with_query(postgres_url, options=options)
    database = open_database(url)

    found = {
        name: await shown(database, name)
        for name in ("statement_timeout", "work_mem", "lock_timeout", "transaction_timeout")
    }

    assert found == {
        "statement_timeout": "7s",
        "work_mem": "5MB",
        "lock_timeout": "2s",
        "transaction_timeout": "10s",
    }


async def test_what_the_url_says_of_a_connection_is_kept(
    postgres_url: str, open_database: Open
) -> None:
    asked = {"connect_timeout": "3", "client_encoding": "UTF8", "target_session_attrs": "primary"}
    database = open_database(with_query(postgres_url, **asked))

    connection = await database.connect_alone()
    raw: Any = (await connection.get_raw_connection()).driver_connection
    parameters = raw.info.get_parameters()
    await connection.close()

    assert {name: parameters.get(name) for name in asked} == asked


async def test_a_client_encoding_that_does_not_hold_every_name_is_refused(
    empty_postgres_url: str, open_database: Open
) -> None:
    database = open_database(with_query(empty_postgres_url, client_encoding="latin1"))

    with pytest.raises(DatabaseUnfitError, match=r"client_encoding is LATIN1, .* leave it out"):
        await migrate(database)


async def test_a_session_that_the_server_ended_costs_no_error(
    postgres: Postgres, postgres_url: str, open_database: Open
) -> None:
    store = Store(open_database(postgres_url))
    for _ in range(3):
        assert await store.rows("SELECT 1") == [(1,)]
        postgres.cut(postgres_url)
