"""A batch whose answer grows from 0.9 to 6 MiB, through the whole daemon, beside other accounts."""

import json
import sys
from collections.abc import AsyncIterator
from statistics import quantiles

import pytest

from tests.conftest import Until
from tests.engine.rig import Rig
from tests.providers.made_up_api import ACCESS, MadeUpApi

RECIPIENTS = 10_000
STEPS = 5
OTHERS = [f"b{number}" for number in range(20)]
TABLE = f"""
[sources.large]
provider = "generic"
{ACCESS}
rate_limit = "1000/s"
answer_limit = "8MiB"
id = "id"
status = "status"
running = ["in_progress"]
completed = ["completed"]
counts = "recipients[].status"
total = "length(recipients)"
final_calls = ["completed"]
"""


@pytest.fixture
async def api() -> AsyncIterator[MadeUpApi]:
    async with MadeUpApi() as served:
        yield served


def document(step: int) -> bytes:
    """Return the batch after some steps: the more calls are over, the more is said of them."""
    over = RECIPIENTS * step // STEPS
    recipients = [
        {"id": f"r{number:05}", "to": "+10000000000", "status": "completed", "notes": "x" * 555}
        if number < over
        else {"id": f"r{number:05}", "to": "+10000000000", "status": "pending", "notes": "x" * 20}
        for number in range(RECIPIENTS)
    ]
    status = "completed" if step == STEPS else "in_progress"
    return json.dumps({"id": "big", "status": status, "recipients": recipients}).encode()


async def test_it_is_read_to_its_end_and_nobody_else_waits_for_it(
    any_rig: Rig, until: Until, api: MadeUpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = any_rig
    documents = [document(step) for step in range(STEPS + 1)]
    rig.tail = f'{TABLE}url = "{api.origin}/{{id}}"\n'
    rig.show(*OTHERS)
    await rig.start()
    lags: list[float] = []
    observe = rig.engine.metrics.poll_lag.observe

    def note(lag: float) -> None:
        lags.append(lag)
        observe(lag)

    monkeypatch.setattr(rig.engine.metrics.poll_lag, "observe", note)
    await rig.add(*OTHERS)
    await until(lambda: rig.polls() > 5 * len(OTHERS))
    lags.clear()
    await until(lambda: rig.polls() > 30 * len(OTHERS))
    alone = p99_ms(lags)

    api.put("/big", documents[0])
    await rig.add("big", source="large")
    await until(lambda: len(api.requests) > 0)
    lags.clear()
    for body in documents:
        api.put("/big", body)
        asked, polled = len(api.requests), rig.polls()
        more = 2 if body is not documents[-1] else 1  # at the end it rests
        await until(lambda enough=asked + more: len(api.requests) >= enough)
        await until(lambda before=polled: rig.polls() > before)
    await until(lambda: "batch.completed" in rig.crm.types)

    beside = p99_ms(lags)
    sys.stdout.write(f"\nlag of polls, p99: {alone:.0f} ms alone, {beside:.0f} ms beside\n")
    assert 0.85 < len(documents[0]) / 2**20 < 0.95
    assert 5.9 < len(documents[-1]) / 2**20 < 6.5
    assert not any(kind.startswith("source.") or "reachable" in kind for kind in rig.crm.types)
    told = [event["data"] for event in rig.crm.events if event["subject"] == "big"]
    finished = [data["progress"]["finished"] for data in told]
    assert finished == sorted(finished)
    assert told[-1]["counts"] == {"completed": RECIPIENTS}
    assert told[-1]["total_contacts"] == RECIPIENTS


def p99_ms(lags: list[float]) -> float:
    return 1000 * quantiles(lags, n=100)[98]
