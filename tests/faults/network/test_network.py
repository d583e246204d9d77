"""All faults of a network, for a provider and both sinks: each request ends, the next is well."""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from tests.conftest import Until
from tests.faults.figures import FULL, TIMED, Figures, sized
from tests.faults.network.callers import KINDS, LONG, SHORT, Caller, caller
from tests.faults.network.hostile_peer import DATA, TRUSTED, Fault, Peer, server_tls
from tests.faults.network.machine import Memory, contacts, open_files
from tests.faults.network.network_faults import FAULTS, METADATA
from tests.patient import HANG

REPETITIONS = sized(short=1, full=25)
LASTING = sized(short=1, full=5)
"""How often a fault is met that only a deadline ends."""
NAME = "localhost"
GRACE = 0.5 if TIMED else HANG
"""Seconds by which a request may outlast its deadline."""
PATIENCE = 4.0 if TIMED else HANG
"""Seconds after which a request counts as one without an end."""
MOST_MEMORY = 32
"""MiB that one fault may cost."""
AT_ONCE = 3
"""Faults that only a deadline ends, met at once by clients of their own: to save time."""
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
"""The daemon runs on the first where it exists, else on the second."""

NEVER = (
    METADATA,
    f"[::ffff:{METADATA}]",
    "[::ffff:a9fe:a9fe]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "100.100.100.200",
    "2852039166",
    "0xa9fea9fe",
    "0.0.0.0",  # noqa: S104 (nothing is bound to it)
    "0",
    "[::]",
    "255.255.255.255",
)
PRIVATE = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "10.0.0.1",
    "[fc00::1]",
)


@dataclass(slots=True)
class Encounter:
    """Let one caller meet the faults of one peer; keep what went wrong."""

    caller: Caller
    peer: Peer
    until: Until
    requests: int = 0
    latest: float = 0.0
    """Seconds after its deadline at which the slowest request ended, or before it."""
    mistakes: list[str] = field(default_factory=list)

    async def meet(self, fault: Fault) -> None:
        """Fill all slots with requests that the fault hits, then make a healthy one."""
        await self.peer.play(fault)
        if fault.warm:
            await asyncio.gather(*(self._ask(fault, well=True) for _ in range(self.caller.slots)))
            await self.until(lambda: self.peer.quiet, what="connections that wait or have ended")
            self.peer.warmed_up = True
        await asyncio.gather(*(self._ask(fault) for _ in range(self.caller.slots)))
        if fault.warm:
            await self.peer.hang_up()  # what still waits would be reset, too
        await self.peer.play(None)
        await self._ask(fault, well=True)

    async def _ask(self, fault: Fault, *, well: bool = False) -> None:
        provider = self.caller.kind == "provider"
        expected = fault.means.read if provider else fault.means.sent
        if self.caller.kind == "slack":
            expected = fault.means.posted or expected
        if well:
            expected = "ok" if provider else "delivered 200"
        found = await self._ask_once(fault)
        tries = 1 if TIMED or not well else round(PATIENCE)
        while found.endswith("timeout") and (tries := tries - 1):  # the machine, or a leak for ever
            found = await self._ask_once(fault)
        if found != expected:
            self._note(fault, f"{found} instead of {expected}{' afterwards' if well else ''}")

    async def _ask_once(self, fault: Fault) -> str:
        clock = asyncio.get_running_loop().time
        began = clock()
        found = "no end"
        with suppress(TimeoutError):
            found = await asyncio.wait_for(self.caller.ask(), PATIENCE)
        late = clock() - began - self.caller.deadline.total_seconds()
        self.requests += 1
        self.latest = max(self.latest, late)
        if late > GRACE:
            self._note(fault, f"ended {late:.2f} s after its deadline")
        return found

    def _note(self, fault: Fault, mistake: str) -> None:
        self.mistakes.append(f"{fault.name}: {self.caller.kind}: {mistake}")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for every name anew, as after its 10 s in the connector's memory."""
    monkeypatch.setattr(aiohttp.connector._DNSCacheTable, "expired", lambda *_: True)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("name", LOOPS if FULL else ["uvloop"])
def test_after_every_fault_the_next_request_succeeds(
    name: str, until: Until, figures: Figures, tmp_path: Path
) -> None:
    bundle = tmp_path / "trusted.pem"
    certificates = (TRUSTED, DATA / "elsewhere.pem", DATA / "expired.pem")
    bundle.write_text("".join(file.read_text() for file in certificates))
    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        encounters, mistakes, most = runner.run(_meet_all(until, bundle))

    for kind in KINDS:
        mine = [one for one in encounters if one.caller.kind == kind]
        late = max(one.latest for one in mine)
        figures.add(
            f"network, {kind}, {name}", n=sum(one.requests for one in mine), unit="requests",
            failures=sum(len(one.mistakes) for one in mine),
            detail=f"{len(FAULTS)} faults; slowest {late:+.2f} s after its deadline;"
            f" at most {most:.1f} MiB for one fault",
        )  # fmt: skip
    assert not mistakes, "\n".join(mistakes)


async def test_however_an_address_is_written_a_forbidden_one_is_not_contacted(
    figures: Figures,
) -> None:
    peer, met = Peer(), list[str]()
    await peer.play(None)
    spelled = [(host, private) for private in (False, True) for host in NEVER]
    spelled += [(host, False) for host in PRIVATE]
    with contacts() as contacted:
        for host, allow_private in spelled:
            for kind in KINDS:
                url = f"http://{host}:{peer.port}"
                async with caller(kind, url, allow_private=allow_private) as asked:
                    found = await asked.ask()
                if found.removeprefix("hold ") not in {"address", "protocol"}:
                    met.append(f"{host}: {kind}: {found}")
    await peer.close()

    mistakes = [*met, *(f"{address} was contacted" for address in contacted)]
    figures.add(
        "network, forbidden addresses", n=len(spelled) * len(KINDS), unit="requests",
        failures=len(mistakes), detail=f"{len(NEVER) + len(PRIVATE)} spellings",
    )  # fmt: skip
    assert not mistakes, "\n".join(mistakes)


async def _meet_all(until: Until, bundle: Path) -> tuple[list[Encounter], list[str], float]:
    """Meet every fault; return the encounters, all mistakes, and the most memory in MiB."""
    first = Peer()  # from the first one on, uvloop holds a file in reserve
    await first.play(None)
    await first.close()
    files, tasks = open_files(), len(asyncio.all_tasks())
    most, mistakes, encounters = 0.0, [], list[Encounter]()
    peers: dict[int, Peer] = {}
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(socket, "getaddrinfo", partial(_resolve, peers, socket.getaddrinfo))
        contacted = stack.enter_context(contacts())

        async def encounter(kind: str, *, tls: bool, deadline: timedelta) -> Encounter:
            peer = Peer(tls=server_tls(TRUSTED) if tls else None)
            stack.push_async_callback(peer.close)
            await peer.play(None)
            peers[peer.port] = peer
            url = f"http{'s' if tls else ''}://{NAME}:{peer.port}"
            opening = caller(kind, url, deadline=deadline, ca_file=bundle)
            opened = await stack.enter_async_context(opening)
            encounters.append(Encounter(opened, peer, until))
            return encounters[-1]

        async def place(deadline: timedelta) -> Mapping[bool, Sequence[Encounter]]:
            return {
                tls: [await encounter(kind, tls=tls, deadline=deadline) for kind in KINDS]
                for tls in (False, True)
            }

        one, several = [await place(LONG)], [await place(SHORT) for _ in range(AT_ONCE)]
        lasting = [fault for fault in FAULTS if fault.lasts]
        rounds = [([fault], one) for fault in FAULTS if not fault.lasts]
        rounds += [(lasting[n : n + AT_ONCE], several) for n in range(0, len(lasting), AT_ONCE)]
        for faults, places in rounds:
            name, memory = ", ".join(fault.name for fault in faults), Memory()
            await asyncio.gather(
                *(
                    _repeat(each, fault)
                    for fault, met in zip(faults, places, strict=False)
                    for each in met[fault.tls]
                )
            )
            most = max(most, memory.growth)
            if memory.growth >= MOST_MEMORY:
                mistakes.append(f"{name}: {memory.growth:.0f} MiB")
        mistakes += [f"{address} was contacted" for address in contacted - {"127.0.0.1"}]
    mistakes += [mistake for one in encounters for mistake in one.mistakes]
    if not mistakes:
        await until(lambda: len(asyncio.all_tasks()) <= tasks, what="all tasks have ended")
        await until(lambda: open_files() <= files, what="all connections are closed")
    return encounters, mistakes, most


async def _repeat(encounter: Encounter, fault: Fault) -> None:
    for _ in range(LASTING if fault.lasts else REPETITIONS):
        await encounter.meet(fault)


def _resolve(
    peers: dict[int, Peer],
    system: Callable[..., Any],
    host: str,
    port: int,
    *rest: Any,
    **named: Any,
) -> Any:
    """Be the system's resolver: each peer's fault says what its name resolves to."""
    if host != NAME:
        return system(host, port, *rest, **named)
    while (addresses := peers[port].resolved) is None:  # resolvers ask again and again
        time.sleep(0.02)
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is unknown")
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in addresses
    ]
