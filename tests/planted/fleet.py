"""Bugs that only several daemons on one Postgres bring to light."""

from tests.planted import Bug, Edit

PAUSED = "tests/faults/fleet/test_paused_daemon.py"
SHARED = "tests/faults/fleet/test_shared_account.py"
LANES = (
    "tests/storage/deliveries/test_lanes.py"
    "::test_a_settlement_waits_for_whoever_tells_of_its_subject"
)

BUGS = (
    Bug(
        name="stale-reading-written",
        edits=[
            Edit(
                module="monitor.storage.batches.record",
                old=" AND batches.epoch = r.epoch AND {_STILL_LEASED}",
                new="",
            )
        ],
        test=PAUSED,
        says="what was stale is written",
        slow=True,
    ),
    Bug(
        name="stale-attempt-settled",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old="WHERE {claim_stands('deliveries')} RETURNING",
                new="WHERE deliveries.id = r.id RETURNING",
            ),
        ],
        test=PAUSED,
        says="what was stale is written",
        slow=True,
    ),
    Bug(
        name="transaction-open-for-30-s",
        edits=[
            Edit(
                module="monitor.storage.servers.postgres",
                old='"idle_in_transaction_session_timeout": "5s"',
                new='"idle_in_transaction_session_timeout": "30s"',
            ),
            Edit(
                module="monitor.storage.servers.postgres",
                old='"transaction_timeout": "10s"',
                new='"transaction_timeout": "0"',
            ),
        ],
        test=PAUSED,
        says="2 calls are told",
        slow=True,
    ),
    Bug(
        name="transaction-without-a-bound",
        edits=[
            Edit(
                module="monitor.storage.servers.postgres",
                old='"transaction_timeout": "10s"',
                new='"transaction_timeout": "0"',
            )
        ],
        test="tests/storage/test_database.py"
        "::test_a_client_that_stands_still_amid_a_statement_keeps_its_locks_for_seconds",
        says="assert freed",
        slow=True,
    ),
    Bug(
        name="standby-kept-for-ever",
        edits=[
            Edit(
                module="monitor.storage.servers.postgres",
                old='    "target_session_attrs": "read-write",\n',
                new="",
            )
        ],
        test="tests/faults/fleet/test_failover.py",
        says="the standby is still asked",
        slow=True,
    ),
    Bug(
        name="born-for-150-s",
        edits=[
            Edit(
                module="monitor.engine.delivering.relay",
                old="lease={receiver.name: receiver.lease for receiver in served}",
                new="lease={receiver.name: timedelta(seconds=150) for receiver in served}",
            )
        ],
        test=PAUSED,
        says="5 calls are told",
        slow=True,
    ),
    Bug(
        name="health-without-compare-and-set",
        edits=[
            Edit(
                module="monitor.storage.sources",
                old=" WHERE id = :row AND version = :version",
                new=" WHERE id = :row",
            )
        ],
        test=f"{SHARED}::test_a_refused_key_is_one_event_and_pauses_all_three",
        says="assert three.refused == []",
        slow=True,
    ),
    Bug(
        name="leases-ignored-by-polls",
        edits=[
            Edit(
                module="monitor.storage.batches.claim",
                old='_claiming("next_poll_at <= :now",',
                new='_claiming("(next_poll_at <= :now OR lease_owner IS NOT NULL)",',
            )
        ],
        test=f"{SHARED}::test_each_batch_is_polled_and_each_event_sent_by_one_at_a_time",
        says="assert pause.most_at_once == 1",
        slow=True,
    ),
    Bug(
        name="leases-ignored-by-sends",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old=" AND due_at IS NOT NULL AND due_at <= :now",
                new=" AND due_at IS NOT NULL",
            )
        ],
        test=f"{SHARED}::test_each_batch_is_polled_and_each_event_sent_by_one_at_a_time",
        says="assert often() == 1",
        slow=True,
    ),
    Bug(
        name="promotion-without-the-subjects-lock",
        edits=[
            Edit(
                module="monitor.storage.deliveries.lanes",
                old="distinct = set(subjects)",
                new="distinct = set[Subject]()",
            ),
        ],
        test=LANES,
        says="assert not settling.done()",
        on_postgres=True,
    ),
)
