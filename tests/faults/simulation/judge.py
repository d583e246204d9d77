"""The judge: holds what happened against what the engine promises, all day and at its end."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from monitor.core.delivery import JITTER
from tests.accounting import Account, account, read_stored
from tests.consumer import Accepted
from tests.faults.simulation.patience import impatience
from tests.faults.simulation.setting import (
    DEADLINE,
    IDLE_INTERVAL,
    INTERVAL,
    LEDGER_SCHEDULE,
    RECEIVER_TIMEOUT,
    SETTLED_INTERVAL,
    SLOTS,
)
from tests.faults.simulation.weather import (
    HOUR,
    LONGEST_PAUSE,
    MINUTE,
    RECEIVERS,
    SOURCES,
)

if TYPE_CHECKING:
    from tests.faults.simulation.world import World

POLL_LEASE: Final = 2 * DEADLINE + 5.0
SEND_LEASE: Final = 2 * RECEIVER_TIMEOUT + 10.0
RECOVERY: Final = LONGEST_PAUSE + 2 * MINUTE
"""Seconds that a part may stay paused once it is well: as it asked, and the probe after that."""
FRESH: Final = HOUR
"""So long after it last moved a batch is polled at the ordinary interval."""
LIFETIME: Final = sum(LEDGER_SCHEDULE) * (1 + JITTER)
LONGEST_STOP: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Hold what is to be said of one day."""

    seed: int
    account: Account
    faults: int
    complaints: Sequence[str]
    """What was promised and not kept; none: all is well."""
    trace: Sequence[str]

    @property
    def failures(self) -> int:
        """Count all that went wrong."""
        return self.account.failures + len(self.complaints)

    def __str__(self) -> str:
        """Say how to see it again, if anything went wrong."""
        what = [f"seed {self.seed}, {self.faults} faults, {self.account}", *self.complaints[:9]]
        if self.account.wrong:
            what.append(f"not 0: {', '.join(self.account.wrong)}")
        if self.failures:
            what.append(replay(self.seed))
        return "\n  ".join(what)


def replay(seed: int) -> str:
    """Say how a seed's day is seen again."""
    return f"replay: python -m tests.faults.simulation {seed}"


class Judge:
    """Look at the store now and then, and settle the account in the end."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._complaints: dict[str, str] = {}
        self._dead: set[str] = set()
        uri = f"file:{world.file}?mode=ro"
        self._store = sqlite3.connect(uri, uri=True, isolation_level=None)

    async def look(self, *, every: float) -> None:
        """Look for broken promises for ever."""
        while True:
            await asyncio.sleep(every)
            self._look(self._world.seconds())

    def settle(self) -> Verdict:
        """Close the day, after a clean stop."""
        world = self._world
        self._judge_deaths(world.seconds())
        self._judge_rest()
        for what, how in impatience(world):
            self._complain(what, how)
        found = self._account()
        weather = world.weather
        faults = weather.struck.total() + len(weather.done)
        if found.duplicates > weather.doublings(SLOTS):
            self._complain("duplicates", f"{found.duplicates} of {faults} faults")
        for line in world.trace.surprises:
            self._complain(line, "logged")
        self._store.close()
        return Verdict(
            seed=weather.seed,
            account=found,
            faults=faults,
            complaints=[f"{what}: {how}" for what, how in self._complaints.items()],
            trace=world.trace.lines,
        )

    def _complain(self, what: str, how: str) -> None:
        """Complain of each thing once."""
        self._complaints.setdefault(what, f"{how} at {self._world.seconds():.0f}")

    def _well_for(self, *parts: str) -> float:
        """Return for how long these parts, the store and all daemons have been well."""
        now = self._world.seconds()
        return now - self._world.weather.well_since(("store", "daemon", *parts), now)

    @property
    def _slack(self) -> float:
        """Return how late the loops may be: one that is woken looks again a turn later."""
        return 2 * self._world.turn + MINUTE

    def _look(self, now: float) -> None:
        slack = self._slack
        self.judge_leases()
        self._judge_deaths(now)
        for name in SOURCES:
            well_for = self._well_for(name) - RECOVERY - POLL_LEASE - slack
            if well_for > 0:
                self._judge_polls(name, now, well_for, slack)
        for name in RECEIVERS:
            if self._well_for(name) > RECOVERY + SEND_LEASE + slack:
                self._judge_deliveries(name, slack)

    def judge_leases(self) -> None:
        """Nothing is claimed for longer than a lease, and nothing claimed is forgotten."""
        for table, statement, lease in (
            ("batch", "SELECT id, source, next_poll_at FROM batches", POLL_LEASE),
            ("delivery", "SELECT id, receiver, due_at FROM deliveries", SEND_LEASE),
        ):
            for row, part, until in self._rows(f"{statement} WHERE lease_owner IS NOT NULL"):
                if until is None:
                    continue  # settled
                left = self._from_now(until)
                late = -left - self._slack - RECOVERY
                if left > lease + 1 or (late > 0 and self._well_for(part) > -left):
                    self._complain(f"{table} {row}", f"claimed for {left:.0f} s more")

    def _judge_polls(self, name: str, now: float, well_for: float, slack: float) -> None:
        """No batch goes unpolled for longer than its pace allows."""
        watched = self._rows(
            "SELECT external_id, changed_at, CASE phase WHEN 'pending' THEN phase_since END,"
            " settled_at, next_poll_at FROM batches"
            " WHERE source = ? AND watched AND registered_at < ?",
            name,
            self._stamp(now - well_for),
        )
        for batch, *since, settled_at, due_at in watched:
            fresh = all(stamp is None or self._from_now(stamp) > -FRESH for stamp in since)
            every = INTERVAL if fresh else IDLE_INTERVAL
            every = every if settled_at is None else SETTLED_INTERVAL
            allowed = every * 1.1 + slack
            silent_for = now - self._world.accounts[name].asked_at.get(batch, 0.0)
            if silent_for > allowed and well_for > allowed:
                self._complain(f"{name} {batch}", f"not polled for {silent_for:.0f} s")
            if due_at is None or self._from_now(due_at) > allowed:
                self._complain(f"{name} {batch}", "will not be polled in time")

    def _judge_deliveries(self, name: str, slack: float) -> None:
        """A receiver that is well has everything, but for what it refuses for itself."""
        for lane, due_at in self._rows(
            "SELECT subject_kind || subject_row, max(due_at) FROM deliveries"
            " WHERE receiver = ? AND state = 'pending' AND enqueued_at < ?"
            " GROUP BY subject_kind, subject_row",
            name,
            self._stamp(self._world.seconds() - slack),
        ):
            if due_at is None:
                self._complain(f"{name} {lane}", "the lane has no head that is due")
            elif self._from_now(due_at) < -slack:
                self._complain(f"{name} {lane}", f"due for {-self._from_now(due_at):.0f} s")
            elif name == "crm" and self._from_now(due_at) > SEND_LEASE:
                self._complain(f"{name} {lane}", "not delivered though it would be accepted")

    def _judge_deaths(self, now: float) -> None:
        """A delivery dies of a refusal, of its last attempt, or of age; never else."""
        dead = self._rows(
            "SELECT receiver, event, enqueued_at FROM deliveries WHERE state = 'dead'"
        )
        for receiver, event, enqueued_at in dead:
            if event in self._dead and receiver == "ledger":
                continue
            self._dead.add(event)
            told = self._world.receivers[receiver]
            refused = told.refused[event] > len(LEDGER_SCHEDULE) or event in told.gone
            aged = receiver == "ledger" and -self._from_now(enqueued_at) > LIFETIME
            if not (refused or aged):
                self._complain(f"{receiver} {event}", "dead too early")

    def _judge_rest(self) -> None:
        """After a clean stop nothing is claimed, owed to who is well, or left hanging."""
        leased = "SELECT count(*) FROM batches WHERE lease_owner IS NOT NULL"
        leased += " UNION ALL SELECT count(*) FROM deliveries WHERE state = 'pending'"
        leased += " AND (receiver = 'crm' OR lease_owner IS NOT NULL)"
        for number, what in zip(self._rows(leased), ("claimed", "owed or claimed"), strict=True):
            if number[0]:
                self._complain(f"{number[0]} {what}", "after the end")
        for instance in self._world.instances.values():
            for task in instance.hanging:
                self._complain(task, "left hanging")
            if instance.slowest_stop > LONGEST_STOP:
                self._complain(f"a stop of {instance.name}", f"took {instance.slowest_stop:.1f} s")

    def _account(self) -> Account:
        world = self._world
        accepted = [
            one
            for receiver in world.receivers.values()
            for one in self._with_dead(receiver.name, receiver.accepted)
        ]
        served = {
            (f"/sources/{account.name}", batch): [UNREAD, *states]
            for account in world.accounts.values()
            for batch, states in account.served.items()
        }
        return account(
            accepted,
            read_stored(f"sqlite:///{world.file}"),
            served,
            receivers=world.receivers,
            bad_signatures=sum(one.bad_signatures for one in world.receivers.values()),
        )

    def _with_dead(self, receiver: str, accepted: Sequence[Accepted]) -> Iterator[Accepted]:
        """Count what died as arrived in its place: whether it may have died is judged apart."""
        dead: dict[Any, list[tuple[int, Accepted]]] = {}
        known = {one.event_id for one in accepted}
        for event, body in self._rows(
            "SELECT events.id, body FROM deliveries JOIN events ON events.id = event"
            " WHERE receiver = ? AND state <> 'delivered' ORDER BY events.sequence",
            receiver,
        ):
            if event not in known and receiver == "ledger":
                lane, number = _place(body)
                dead.setdefault(lane, []).append((number, Accepted(receiver, event, body)))
        for one in accepted:
            lane, number = _place(one.body)
            while dead.get(lane) and dead[lane][0][0] < number:
                yield dead[lane].pop(0)[1]
            yield one
        for left in dead.values():
            yield from (one for _, one in left)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return self._store.execute(statement, values).fetchall()

    def _stamp(self, seconds: float) -> int:
        return int((self._world.dawn + timedelta(seconds=seconds)).timestamp() * 1000)

    def _from_now(self, stamp: int) -> float:
        return stamp / 1000 - self._world.now().timestamp()


UNREAD: Final[Any] = (None, "{}")
"""What is told of a batch that was never read: it may be unreachable from the first poll on."""


def _place(body: bytes) -> tuple[Any, int]:
    event = json.loads(body)
    return (event["source"], event["subject"]), event["data"]["sequence"]
