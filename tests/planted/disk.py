"""Bugs that a power loss, or a disk that is full, brings to light."""

from tests.planted import APART, Bug, Edit

POWER = "tests/faults/disk/test_power_loss.py"
FULL = (
    "tests/faults/disk/test_disk_full.py"
    "::test_a_disk_that_fails_at_any_write_costs_nothing_but_time"
)
PROCESS = (
    "tests/faults/disk/test_disk_of_process.py"
    "::test_a_daemon_on_a_full_disk_stays_up_says_so_and_goes_on"
)

_FORGIVING = """
        found = []
        def keep(connection, *arguments, **named):
            found.append(work(connection, *arguments, **named))
            return found[0]
        try:
            return await self._run(keep, arguments, named, writes=True)
        except StorageError:
            if work.__name__ != "record" or not found:
                raise
            return found[0]
"""

BUGS = (
    Bug(
        name="synchronous-off",
        edits=[
            Edit(
                module="monitor.storage.servers.sqlite",
                old="PRAGMA synchronous = FULL",
                new="PRAGMA synchronous = OFF",
            ),
        ],
        test=POWER,
        says="what a receiver was told is not known",
        slow=True,
    ),
    Bug(
        name="synchronous-normal",
        edits=[
            Edit(
                module="monitor.storage.servers.sqlite",
                old="PRAGMA synchronous = FULL",
                new="PRAGMA synchronous = NORMAL",
            ),
        ],
        test=POWER,
        says="what a receiver was told is not known",
        slow=True,
    ),
    Bug(
        name="state-before-outbox",
        edits=[
            Edit(
                module="monitor.storage.batches.record",
                old="    _insert_snapshots(connection, kept)\n",
                new="    _insert_snapshots(connection, kept)\n" + APART,
            ),
        ],
        test=POWER,
        says="a subject's sequence is its last event's",
        slow=True,
    ),
    Bug(
        name="attempts-apart",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old="    if ours:\n        connection.execute(_INSERT_ATTEMPT",
                new=APART + "    if ours:\n        connection.execute(_INSERT_ATTEMPT",
            ),
        ],
        test=POWER,
        says="what is delivered has the attempt that did it",
        slow=True,
    ),
    Bug(
        name="on-after-a-refused-commit",
        edits=[
            Edit(
                module="monitor.storage.database",
                old="        return await self._run(work, arguments, named, writes=True)\n",
                new=_FORGIVING,
            ),
        ],
        test=FULL,
        says="wrong: phantom",
        slow=True,
    ),
    Bug(
        name="exit-on-storage-error",
        edits=[
            Edit(
                module="monitor.engine.outage",
                old="        self.reason = str(error)\n",
                new="        raise SystemExit(1)\n",
            ),
        ],
        test=PROCESS,
        says="the daemon has ended",
        slow=True,
    ),
    Bug(
        name="ready-on-a-full-disk",
        edits=[
            Edit(
                module="monitor.engine.outage",
                old="        self.reason = str(error)\n",
                new="",
            ),
            Edit(
                module="monitor.daemon.readiness",
                old="return [] if error is None else [str(error)]",
                new="return []",
            ),
        ],
        test=PROCESS,
        says="it is not ready",
        slow=True,
    ),
)
