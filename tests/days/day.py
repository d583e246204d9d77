"""A day: fifty batches, an outage, a key that is rotated and a restart, played and judged."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.accounting import Account, State, account, read_stored, served_states
from tests.days.cast import cast
from tests.days.judge import Judge, Trouble, contract
from tests.days.part import Part, clock
from tests.days.rig import DayRig
from tests.simulator.faults import Fault

OUTAGE = Trouble(source="bolna", begins_at=clock(14), ends_at=clock(14) + timedelta(minutes=20))
ROTATION = Trouble(
    source="vogent", begins_at=clock(10.25), ends_at=clock(10.25) + timedelta(minutes=20)
)
RESTART = Trouble(source="", begins_at=clock(13.75), ends_at=clock(13.75) + timedelta(minutes=1))
ENDS_AT = clock(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Hold how a day went."""

    account: Account
    judge: Judge
    sources: Sequence[str]
    """What was told of the accounts, in order."""
    violations: Sequence[str]
    """Requests that were no GET."""
    received: int
    """Requests that the consumer of webhooks got."""
    polls: Counter[str]
    """By the state in which the batch was."""
    events: Counter[str]
    steps: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of this process: daemon, simulated providers and consumer."""

    def lines(self) -> Iterator[str]:
        """Tell it so that it can be read."""
        yield f"{sum(self.polls.values())} polls in {self.steps} steps, {self.seconds:.1f} s"
        yield f"{self.cpu_seconds:.1f} s of CPU"
        yield from (f"  {number:6}  {state}" for state, number in self.polls.most_common())
        yield f"{sum(self.events.values())} events"
        yield from (f"  {number:6}  {name}" for name, number in self.events.most_common())
        yield "worst lateness by the state before (changes)"
        for state, found in sorted(self.judge.lateness.items()):
            yield f"  {max(found).total_seconds():7.1f} s  {state} ({len(found)})"


async def play(folder: Path, url: str, *, grain: timedelta) -> Day:
    """Let the whole daemon live through the day."""
    parts = cast()
    began, worked = time.monotonic(), time.process_time()
    async with DayRig(folder, url, grain=grain) as rig:
        _plan(rig, parts)
        await rig.begin()
        await rig.run_until(ENDS_AT)
    return replace(
        _judged(rig, parts),
        seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - worked,
    )


def _plan(rig: DayRig, parts: Sequence[Part]) -> None:
    for part in parts:
        rig.plan(part.scenes[0].at, partial(_appear, rig, part))
        rig.plan(part.added_at, partial(rig.add, part.id, source=part.source))
        if part.deleted_at is not None:
            rig.plan(part.deleted_at, partial(_vanish, rig, part))
    rig.plan(OUTAGE.begins_at, partial(_fail, rig))
    rig.plan(OUTAGE.ends_at, partial(_recover, rig))
    rig.plan(ROTATION.begins_at, partial(_rotate, rig))
    rig.plan(ROTATION.ends_at, partial(_hand_in_key, rig))
    rig.plan(RESTART.begins_at, rig.restart)


async def _appear(rig: DayRig, part: Part) -> None:
    api = rig.bolna if part.source == "bolna" else rig.vogent
    api.put(part.id, part.life(rig.clock.seconds))


async def _vanish(rig: DayRig, part: Part) -> None:
    rig.bolna.remove(part.id)


async def _fail(rig: DayRig) -> None:
    rig.bolna.fault(Fault.server_error(503))


async def _recover(rig: DayRig) -> None:
    rig.bolna.lift()


async def _rotate(rig: DayRig) -> None:
    rig.vogent.key = "the next key"


async def _hand_in_key(rig: DayRig) -> None:
    rig.key_file.write_text(rig.vogent.key, encoding="utf-8")


def _judged(rig: DayRig, parts: Sequence[Part]) -> Day:
    judge = Judge(troubles=(OUTAGE, ROTATION, RESTART), grain=rig.grain)
    for part in parts:
        judge.hear(part, rig.crm.of(part.id))
    return Day(
        account=_account(rig, parts),
        judge=judge,
        sources=[kind for kind in rig.crm.types if kind.startswith("source.")],
        violations=[*rig.bolna.violations, *rig.vogent.violations],
        received=len(rig.crm.arrived),
        polls=_polls(rig, parts),
        events=Counter(rig.crm.types),
        steps=rig.steps,
    )


def _account(rig: DayRig, parts: Sequence[Part]) -> Account:
    served: dict[tuple[str, str], Sequence[State]] = {}
    for source, api in (("bolna", rig.bolna), ("vogent", rig.vogent)):
        ids = {part.id for part in parts if part.source == source}
        served |= served_states(api, ids, source=source)
    return account(
        rig.crm.accepted,
        read_stored(rig.url),
        served,
        receivers=rig.consumers,
        bad_signatures=rig.crm.bad_signatures,
    )


def _polls(rig: DayRig, parts: Sequence[Part]) -> Counter[str]:
    by_id = {part.id: part for part in parts}
    found: Counter[str] = Counter()
    for served in (*rig.bolna.served, *rig.vogent.served):
        part, at = by_id[served.batch], datetime.fromtimestamp(served.at, UTC)
        found["refused" if served.fault else contract(part, part.scene_at(at), at)[0]] += 1
    return found
