"""The simulated APIs as a process of their own: `python -m tests.simulator.process`."""

import argparse
import asyncio
import json
import re
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from monitor.simulator.bolna import SimulatedBolna
from monitor.simulator.server import SimulatedApi
from monitor.simulator.story import seeded
from monitor.simulator.vogent import SimulatedVogent
from tests.simulator.journal import Journal
from tests.simulator.random_lives import random_bolna_life, random_vogent_life

_PROVIDERS: Final = {
    "bolna": (SimulatedBolna, random_bolna_life),
    "vogent": (SimulatedVogent, random_vogent_life),
}
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_AGENT: Final = "agent-1"
"""Whose batches Bolna's are: there they can be discovered."""
_LIVED: Final = 0.7
"""Share of the duration after which every batch has ended: the rest is for late pollers."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until the duration is over or a signal comes; the first line says where."""
    options = _parser().parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.process", description=__doc__)
    parser.add_argument("--provider", choices=list(_PROVIDERS), required=True)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--key", required=True)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--duration", type=_seconds, default=60.0, help="such as 60s, 5m")
    parser.add_argument("--record", type=Path, help="a line of JSON per served change")
    return parser


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError("must be a duration such as 60s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]


async def _serve(options: argparse.Namespace) -> None:
    make, live = _PROVIDERS[options.provider]
    api: SimulatedApi = make(key=options.key, port=options.port)
    ids = batch_ids(options.provider, options.batches, seed=options.seed)
    if isinstance(api, SimulatedBolna):
        api.agents = {_AGENT: ids}
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with api:
        for batch_id in ids:
            life = live(
                batch_id,
                created_at=created_at,
                seed=options.seed,
                seconds=options.duration * _LIVED,
                clock=time.monotonic,
            )
            api.put(batch_id, life)
        sys.stdout.write(json.dumps({"base_url": api.base_url, "batches": ids}) + "\n")
        sys.stdout.flush()
        await _record(api, options.record, seconds=options.duration)


async def _record(api: SimulatedApi, path: Path | None, *, seconds: float) -> None:
    if path is None:
        await _over(seconds)
        return
    with path.open("a", encoding="utf-8") as file:
        journal = Journal(file)
        api.record.listen(journal.note)
        await _over(seconds)
        journal.close(violations=api.violations)


async def _over(seconds: float) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), seconds)


def batch_ids(provider: str, number: int, *, seed: int) -> list[str]:
    """Return the seed's ids: 32 hex digits."""
    dice = seeded((provider, seed))
    return [f"{dice.getrandbits(128):032x}" for _ in range(number)]


if __name__ == "__main__":
    sys.exit(main())
