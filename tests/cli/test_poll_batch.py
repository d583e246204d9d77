from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.cli.remedy import REMEDIES
from monitor.core.errors import FailureKind
from monitor.simulator import Fault, SimulatedBolna, bolna_document
from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("in_force")


async def test_poll_shows_a_reading_and_stores_nothing(
    monitor: Run, bolna: SimulatedBolna, in_force: Path
) -> None:
    counts = {"completed": 5, "ringing": 2, "sprouting": 1}
    bolna.put("x", bolna_document("x", status="running", execution_status=counts))

    ended = await monitor("poll", "bolna", "x")

    assert ended.code == 0
    for fact in (
        "bolna x\n",
        "name      customers.csv",
        "phase     running",
        "71.4%  5 finished, 3 open of 7",
        "calls     5 completed, 2 ringing, 1 sprouting",
        "unknown   sprouting",
        "contacts  7 valid, 11 in all",
        "nothing stored",
    ):
        assert fact in ended.out
    assert not (in_force.parent / "monitor.db").exists()


async def test_poll_prints_json(monitor: Run, bolna: SimulatedBolna) -> None:
    bolna.put("x", bolna_document("x", status="executed", execution_status={"completed": 7}))

    reading = (await monitor("poll", "bolna", "x", "-o", "json")).json

    assert reading.pop("duration_ms") >= 0
    assert reading.pop("read_at").endswith("Z")
    assert reading == {
        "source": "bolna",
        "provider": "bolna",
        "id": "x",
        "name": "customers.csv",
        "status": "executed",
        "phase": "ended",
        "outcome": "completed",
        "counts": {"completed": 7},
        "unknown_call_statuses": [],
        "total_contacts": 11,
        "valid_contacts": 7,
        "progress": {"total": 7, "finished": 7, "open": 0, "percent": 100.0},
        "scheduled_at": None,
    }


@pytest.mark.parametrize(
    ("fault", "failure", "hint"),
    [
        (Fault.unauthorized(), "unauthorized (401)", "the key is refused: check api_key"),
        (Fault.forbidden(), "forbidden (403)", "the key is refused"),
        (Fault.not_found(), "not_found (404)", "wrong id, key or account?"),
        (Fault.rate_limited(7), "rate_limited (429)", "too many requests"),
        (Fault.server_error(503), "server_error (503)", "the provider itself fails"),
        (Fault.html(), "invalid_body (200)", "the answer is no document of this batch"),
        (Fault.redirect("http://localhost/"), "redirect (307)", "base_url leads elsewhere"),
        (Fault.reset(), "disconnected", "the connection broke off"),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
async def test_a_failed_poll_says_what_to_do(
    fault: Fault, failure: str, hint: str, monitor: Run, bolna: SimulatedBolna
) -> None:
    bolna.fault(fault)

    ended = await monitor("poll", "bolna", "x", "-o", "json")

    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith(f"bolna x: the poll failed: {failure}, ")
    assert hint in ended.err
    assert "the-api-key" not in ended.err


async def test_a_private_address_is_named_with_its_key(
    monitor: Run, rewrite: Callable[[str], None], bolna: SimulatedBolna
) -> None:
    rewrite(
        f'[sources.b]\nprovider = "bolna"\napi_key = "k"\nallow_http = true\n'
        f'base_url = "{bolna.base_url}"\n'
    )

    ended = await monitor("poll", "b", "x")

    assert ended.code == 1
    assert "allow_private = true" in ended.err


async def test_poll_needs_the_key_and_says_where_it_looked(monitor: Run) -> None:
    ended = await monitor("poll", "vogent", "x")

    assert ended.code == 1
    assert ended.err == (
        "sources.vogent.api_key: the environment variable NOT_SET_ANYWHERE is not set\n"
    )


@pytest.mark.parametrize(
    ("source", "batch_id", "reason"),
    [
        ("nobody", "x", "there is no source 'nobody'; there are: bolna, vogent"),
        ("bolna", "https://app.bolna.ai/batches/3c90c3cc", "this is a URL, not a batch id"),
    ],
)
async def test_what_cannot_be_polled_is_refused(
    source: str, batch_id: str, reason: str, monitor: Run, bolna: SimulatedBolna
) -> None:
    ended = await monitor("poll", source, batch_id)

    assert ended.code == 1
    assert reason in ended.err
    assert bolna.served == []


def test_every_kind_of_failure_has_a_remedy() -> None:
    assert set(REMEDIES) == set(FailureKind)
