"""The overview of the whole: daemons, batches, sources, receivers, what is owed; and its JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.config.schema import Config
from monitor.core.delivery import DeliveryState
from monitor.core.event import stamp
from monitor.core.pause import Hold
from monitor.facts.daemon_seen import is_alive
from monitor.facts.lateness import describe_lateness
from monitor.facts.remedy import describe_account
from monitor.facts.sentence import Sentence, Tone
from monitor.facts.times import stamp_if, write_short_time, write_wait
from monitor.facts.trouble import BatchCounts, take_watched
from monitor.storage.counts import count_due
from monitor.storage.database import Database
from monitor.storage.deliveries.debts import Debt, undelivered
from monitor.storage.instances import daemons_seen
from monitor.storage.receivers import read_holds
from monitor.storage.sources import SourceRow, all_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How the whole fares at one time."""

    config: Config
    at: datetime
    daemons: Mapping[str, datetime]
    """When each was last seen."""
    batches: BatchCounts
    accounts: Mapping[str, SourceRow]
    due: Mapping[str, int]
    """Batches of each source that nobody has begun to read."""
    holds: Mapping[str, Hold | None]
    owed: Mapping[tuple[str, DeliveryState], Debt]

    @property
    def alive(self) -> list[str]:
        """Return the names of the daemons that are alive."""
        return [name for name, at in self.daemons.items() if is_alive(at, now=self.at)]

    def describe_sources(self) -> list[Sentence]:
        """Write what is wrong with the accounts; empty for nothing."""
        named = (self.accounts[name] for name in self.config.sources if name in self.accounts)
        return [one for account in named for one in describe_account(account, now=self.at)]

    def describe_receivers(self) -> Iterator[Sentence]:
        """Yield which receivers are held."""
        for name in self.config.receivers:
            if hold := self.holds.get(name):
                since, until = write_short_time(hold.since), write_short_time(hold.until)
                held = f"{name} is held since {since}, tried again at {until}"
                yield Sentence(held, Tone.DOUBTFUL)

    def describe_lateness(self) -> list[Sentence]:
        """Write which sources' polls are late; while no daemon is alive, that is another matter."""
        if not self.alive:
            return []
        return [*describe_lateness(self.config, self.due, self.accounts, now=self.at)]

    def write_debts(self, state: DeliveryState) -> str:
        """Write what is pending or dead: `3 pending (2 to ops, 1 to crm), the oldest for 5 s`."""
        debts = {to: debt for (to, in_state), debt in self.owed.items() if in_state is state}
        if not debts:
            return f"none {state}"
        most_first = sorted(debts.items(), key=lambda item: -item[1].deliveries)
        shares = ", ".join(f"{debt.deliveries:,} to {name}" for name, debt in most_first)
        number = sum(debt.deliveries for debt in debts.values())
        oldest = self.at - min(debt.oldest for debt in debts.values())
        return f"{number:,} {state} ({shares}), the oldest for {write_wait(oldest)}"

    def document(self) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            "at": stamp(self.at),
            "daemons": [
                {"name": name, "seen_at": stamp(at), "alive": name in self.alive}
                for name, at in self.daemons.items()
            ],
            "batches": {
                "watched": self.batches.number,
                "phases": dict(self.batches.phases),
                "troubles": dict(self.batches.troubles),
            },
            "sources": [self._source(name) for name in self.config.sources],
            "receivers": [self._receiver(name) for name in self._receivers()],
        }

    def _source(self, name: str) -> dict[str, Any]:
        account = self.accounts.get(name)
        return {
            "name": name,
            "provider": self.config.sources[name].provider,
            "failing_since": stamp_if(account.health.failing_since) if account else None,
            "paused_until": stamp_if(account.blocked_until) if account else None,
            "due": self.due.get(name, 0),
        }

    def _receivers(self) -> list[str]:
        """Return those of the config, then others to which something is owed."""
        return list(dict.fromkeys([*self.config.receivers, *(name for name, _ in self.owed)]))

    def _receiver(self, name: str) -> dict[str, Any]:
        hold = self.holds.get(name)
        pending = self.owed.get((name, DeliveryState.PENDING))
        dead = self.owed.get((name, DeliveryState.DEAD))
        return {
            "name": name,
            "configured": name in self.config.receivers,
            "held_since": stamp_if(hold.since if hold else None),
            "held_until": stamp_if(hold.until if hold else None),
            "pending": pending.deliveries if pending else 0,
            "oldest_pending_at": stamp_if(pending.oldest if pending else None),
            "dead": dead.deliveries if dead else 0,
        }


async def read_overview(database: Database, config: Config) -> Overview:
    """Read and count all of it."""
    now = await database.now()
    _, batches = await take_watched(database, config, 0)
    return Overview(
        config=config,
        at=now,
        daemons=await daemons_seen(database),
        batches=batches,
        accounts=await all_sources(database),
        due=await count_due(database, now=now),
        holds=await read_holds(database),
        owed=await undelivered(database),
    )
