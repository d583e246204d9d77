"""Bugs that load, many rows or a long past bring to light."""

from tests.planted import Bug, Edit

PLANS = "tests/storage/test_plans.py::test_no_statement_reads_a_large_table_from_end_to_end"
MILLION = (
    "tests/faults/steady/test_million.py"
    "::test_a_long_past_slows_nothing_and_goes_without_holding_anybody_up"
)

BUGS = (
    Bug(
        name="index-out-of-reach",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old=" AND state = 'pending' AND due_at IS NOT NULL) FROM receivers",
                new=") FROM receivers",
            )
        ],
        test=f"{PLANS}[sqlite]",
        says="['SEARCH deliveries']: deliveries.claim._DUE_RECEIVERS",
        slow=True,
    ),
    Bug(
        name="statistics-needed",
        edits=[
            Edit(
                module="monitor.storage.deliveries.lanes",
                old='" LIMIT 1 OFFSET 0"',
                new='""',
            )
        ],
        test=f"{PLANS}[postgresql]",
        says="ix_deliveries_lane ']: deliveries.lanes._BUSY",
        slow=True,
    ),
    Bug(
        name="retention-at-one-go",
        edits=[
            Edit(module="monitor.storage.sql", old="CHUNK: Final = 500", new="CHUNK = 10**9"),
        ],
        test=f"{MILLION}[sqlite]",
        says="somebody waited for retention",
        slow=True,
    ),
    Bug(
        name="task-left-behind",
        edits=[
            Edit(
                module="monitor.engine.delivering.relay",
                old="        send.add_done_callback(self._sends.discard)",
                new="        self._sends.add(asyncio.create_task(asyncio.sleep(3600)))",
            )
        ],
        test="tests/faults/steady/test_steady.py",
        says="it grows",
        slow=True,
    ),
)
