"""Bugs of timing and order that a simulated day brings to light."""

from tests.planted import Bug, Edit

EVEN = "tests/faults/simulation/test_even_seeds.py"


def _bug(name: str, module: str, old: str, new: str, *, says: str, slow: bool = True) -> Bug:
    """Plant one edit; the first of some days on which it shows is the last."""
    return Bug(
        name=name,
        edits=[Edit(module=module, old=old, new=new)],
        test=EVEN,
        says=says,
        slow=slow,
        environment={"MONITOR_SEEDS": "0-79"},
    )


BUGS = (
    _bug(
        "epoch-unchecked",
        "monitor.storage.batches.record",
        "batches.epoch = r.epoch AND {_STILL_LEASED}",
        ":owner = :owner",
        says="poll.refused_by_database",
    ),
    _bug(
        "too-many-requests-is-final",
        "monitor.core.delivery",
        "elif status_code == 410:",
        "elif status_code in (410, 429):",
        says="dead too early",
    ),
    _bug(
        "lease-without-end",
        "monitor.storage.batches.claim",
        '"lease_until": milliseconds(now + lease)',
        '"lease_until": milliseconds(now + 100 * lease)',
        says="claimed for",
        slow=False,
    ),
    _bug(
        "follower-of-the-dead-forgotten",
        "monitor.storage.deliveries.claim",
        "item.settlement.state is not DeliveryState.PENDING",
        "item.settlement.state is DeliveryState.DELIVERED",
        says="lane.repaired lanes=",
    ),
    _bug(
        "hold-never-probed",
        "monitor.engine.receiver",
        "return 1 if now >= self.hold.until",
        "return 0 if now >= self.hold.until",
        says="due for",
    ),
    _bug(
        "no-back-off",
        "monitor.core.pause",
        "FIRST_HOLD * 2 ** min(step, 10)",
        "FIRST_HOLD",
        says="times, not",
    ),
    _bug(
        "back-off-without-bound",
        "monitor.core.pause",
        "min(FIRST_HOLD * 2 ** min(step, 10), LONGEST_HOLD)",
        "FIRST_HOLD * 2**step",
        says="due for",
    ),
    _bug(
        "retry-after-ignored",
        "monitor.core.pause",
        "asked or (RATE_LIMIT_PAUSE if limited else timedelta())",
        "timedelta(seconds=61)",
        says="asked after",
    ),
    _bug(
        "blocked-source-never-probed",
        "monitor.engine.polling.poller",
        "return due_at | backlog | probes",
        "return {k: v for k, v in (due_at | backlog).items() if k not in probes}",
        says="not polled for",
    ),
    _bug(
        "lanes-ignored",
        "monitor.storage.deliveries.outbox",
        '"due_at": due_at if head else None',
        '"due_at": due_at',
        says="not 0: gaps",
        slow=True,
    ),
    _bug(
        "born-without-lease",
        "monitor.storage.deliveries.outbox",
        "if claimed else self._now\n",
        "if claimed and False else self._now\n",
        says="duplicates:",
    ),
)
