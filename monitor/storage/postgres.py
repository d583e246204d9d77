"""A session on Postgres: its limits, and the server that it goes to."""

from typing import Any, Final

from sqlalchemy.pool import ConnectionPoolEntry

_OPTIONS: Final = (
    # a daemon that is stopped amid a transaction keeps others from its rows for less than any lease
    "-c statement_timeout=10s -c lock_timeout=2s -c idle_in_transaction_session_timeout=5s"
    # a host that died holds its locks no longer than a minute
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
CONNECT_ARGS: Final = {
    "options": _OPTIONS,
    "connect_timeout": 10,
    # after a failover a stale name may still lead to the old server, which has become read-only
    "target_session_attrs": "read-write",
    "client_encoding": "utf8",  # else a database in SQL_ASCII answers bytes
}


def bound_session(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Set the limit that not every server knows."""
    cursor = connection.cursor()
    cursor.execute(bound_transactions("10s", local=False))
    cursor.close()
    connection.commit()


def bound_transactions(longest: str, *, local: bool) -> str:
    """Return the statement that bounds whole transactions, from PostgreSQL 17 on.

    No other limit ends one whose client was stopped while it sent a statement.
    """
    return (
        f"SELECT set_config('transaction_timeout', '{longest}', {local})"
        " WHERE current_setting('server_version_num')::int >= 170000"
    )
