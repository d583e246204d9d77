"""Bugs that a kill at the wrong moment brings to light, or a writer beside the daemon."""

from tests.planted import APART, Bug, Edit

KILLS = "tests/faults/kills/test_kills.py"
NAMED = f"{KILLS}::test_a_kill_at_any_named_point_loses_nothing_and_invents_nothing"
ONE_AT_A_TIME = (
    "tests/faults/fleet/test_shared_account.py"
    "::test_each_batch_is_polled_and_each_event_sent_by_one_at_a_time"
)
FAULTLESS = f"{KILLS}::test_without_a_fault_nothing_comes_twice_not_even_over_stops"
COMMANDS = f"{KILLS}::test_commands_that_write_beside_the_daemon_disturb_nothing"


def at(points: str) -> dict[str, str]:
    """Aim the kills at points and passings."""
    return {"MONITOR_CRASH_POINTS": points}


BUGS = (
    Bug(
        name="mark-before-send",
        edits=[
            Edit(
                module="monitor.storage.deliveries.outbox",
                old='"state": DeliveryState.PENDING.value',
                new='"state": "delivered" if claimed else "pending"',
            ),
            Edit(
                module="monitor.storage.deliveries.claim",
                old='"UPDATE deliveries SET due_at = :lease_until',
                new=""""UPDATE deliveries SET state = 'delivered', due_at = :lease_until""",
            ),
        ],
        test=NAMED,
        says="wrong: unreceived",
        environment=at("before send/1"),
    ),
    Bug(
        name="new-id-per-attempt",
        edits=[
            Edit(
                module="monitor.sinks.webhook",
                old="event_id=delivery.event_id, timestamp",
                new="event_id=f'{delivery.event_id}{timestamp}', timestamp",
            ),
            Edit(
                module="monitor.sinks.webhook",
                old='            "webhook-id": delivery.event_id,\n',
                new='            "webhook-id": f"{delivery.event_id}{timestamp}",\n',
            ),
        ],
        test=NAMED,
        says="wrong: phantom",
        environment=at("after send/1"),
        slow=True,
    ),
    Bug(
        name="state-and-outbox-apart",
        edits=[
            Edit(
                module="monitor.storage.batches.record",
                old="    _insert_snapshots(connection, kept)\n",
                new="    _insert_snapshots(connection, kept)\n" + APART,
            ),
        ],
        test=NAMED,
        says="wrong: gaps",
        environment=at("before record/1"),
        slow=True,
    ),
    Bug(
        name="hand-over-before-commit",
        edits=[
            Edit(
                module="monitor.storage.batches.record",
                old="return RecordResult(claims=claims, reserved=reserved)",
                new="from monitor.engine.delivering import relay; relay.HASTY(reserved)\n"
                "    return RecordResult(claims=claims)",
            ),
            Edit(
                module="monitor.engine.delivering.relay",
                old="        return Reservation(\n",
                new="        global HASTY\n"
                "        loop = asyncio.get_running_loop()\n"
                "        HASTY = lambda new: loop.call_soon_threadsafe(self.accept, new)\n"
                "        return Reservation(\n",
            ),
        ],
        test=NAMED,
        says="wrong: phantom",
        environment=at("before record/1"),
        slow=True,
    ),
    Bug(
        name="lane-promoted-apart",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old="    return set(advance(",
                new=APART + "    return set(advance(",
            ),
        ],
        test=NAMED,
        says="lane.repaired",
        environment=at("before send/7, before settle_deliveries/1"),
        slow=True,
    ),
    Bug(
        name="lock-by-existence",
        edits=[
            Edit(
                module="monitor.storage.servers.lock",
                old="os.O_CREAT | os.O_RDWR",
                new="os.O_EXCL | os.O_CREAT | os.O_RDWR",
            ),
        ],
        test=NAMED,
        says="File exists",
        environment=at("before migrate/1, after migrate/1"),
        slow=True,
    ),
    Bug(
        name="leases-kept-at-start",
        edits=[
            Edit(
                module="monitor.daemon.process",
                old="    await release_deliveries(database, owner=owner, now=clock.now())\n",
                new="",
            ),
        ],
        test=NAMED,
        says="all at rest",
        environment=at("before send/1"),
        slow=True,
    ),
    Bug(
        name="claim-without-lease",
        edits=[
            Edit(
                module="monitor.storage.deliveries.claim",
                old='"UPDATE deliveries SET due_at = :lease_until, lease_owner',
                new='"UPDATE deliveries SET lease_owner',
            ),
        ],
        test=ONE_AT_A_TIME,
        says="assert often() == 1",
        slow=True,
    ),
    Bug(
        name="deferred-begin",
        edits=[
            Edit(
                module="monitor.storage.servers.sqlite",
                old='"BEGIN IMMEDIATE" if writes else "BEGIN"',
                new='"BEGIN"',
            ),
        ],
        test=COMMANDS,
        says="database is locked",
        slow=True,
    ),
)
