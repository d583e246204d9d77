from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.batch import Phase
from monitor.core.errors import ConfigError, PollError
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.providers import BolnaSettings, build
from monitor.simulator.bolna import SimulatedBolna, bolna_document
from monitor.simulator.vogent import SimulatedVogent, vogent_document
from tests.patient import HANG
from tests.simulator.faults import Fault

KEY = "the key"
Reader = Callable[..., AbstractAsyncContextManager[Provider]]


async def failure(
    provider: AbstractAsyncContextManager[Provider], batch_id: str = "b1"
) -> PollError:
    async with provider as opened:
        with pytest.raises(PollError) as caught:
            await opened.read(batch_id)
    return caught.value


async def test_bolna_is_read_with_one_get(bolna: SimulatedBolna, reader: Reader) -> None:
    async with reader(bolna) as provider:
        reading = await provider.read("b1")

    assert reading.phase is Phase.RUNNING
    assert [(s.batch, s.status_code) for s in bolna.served] == [("b1", 200)]
    assert bolna.violations == []


async def test_vogent_is_read_with_one_get(reader: Reader) -> None:
    async with SimulatedVogent(key=KEY) as vogent:
        vogent.put("j1", vogent_document("j1", status="INIT"))
        async with reader(vogent) as provider:
            reading = await provider.read("j1")

    assert (reading.phase, reading.counts) == (Phase.PENDING, None)
    assert [(s.batch, s.status_code) for s in vogent.served] == [("j1", 200)]


@pytest.mark.parametrize(
    "batch_id", ["a b", "a/b", "a?b=c", "a#b", "a%2fb", "ä", "a;b", "...", "a+b~"]
)
async def test_an_id_arrives_as_it_is(bolna: SimulatedBolna, batch_id: str, reader: Reader) -> None:
    bolna.put(batch_id, bolna_document(batch_id))

    async with reader(bolna) as provider:
        await provider.read(batch_id)

    assert bolna.served[-1].batch == batch_id


@pytest.mark.parametrize("batch_id", ["", ".", "..", "\ud800"])
async def test_an_id_that_names_no_batch_is_refused_unsent(
    bolna: SimulatedBolna, batch_id: str, reader: Reader
) -> None:
    error = await failure(reader(bolna), batch_id)

    assert error.kind is FailureKind.REFUSED
    assert bolna.served == []


@pytest.mark.parametrize(
    ("status_code", "kind"),
    [
        (201, FailureKind.UNEXPECTED_STATUS),
        (204, FailureKind.UNEXPECTED_STATUS),
        (206, FailureKind.UNEXPECTED_STATUS),
        (301, FailureKind.REDIRECT),
        (304, FailureKind.REDIRECT),
        (400, FailureKind.REFUSED),
        (401, FailureKind.UNAUTHORIZED),
        (402, FailureKind.UNEXPECTED_STATUS),
        (403, FailureKind.FORBIDDEN),
        (404, FailureKind.NOT_FOUND),
        (405, FailureKind.UNEXPECTED_STATUS),
        (408, FailureKind.TIMEOUT),
        (410, FailureKind.NOT_FOUND),
        (422, FailureKind.REFUSED),
        (429, FailureKind.RATE_LIMITED),
        (451, FailureKind.UNEXPECTED_STATUS),
        (500, FailureKind.SERVER_ERROR),
        (502, FailureKind.SERVER_ERROR),
        (503, FailureKind.SERVER_ERROR),
        (599, FailureKind.SERVER_ERROR),
        (600, FailureKind.UNEXPECTED_STATUS),
    ],
)
async def test_a_status_code_names_its_kind(
    bolna: SimulatedBolna, status_code: int, kind: FailureKind, reader: Reader
) -> None:
    bolna.fault(Fault.status(status_code))

    error = await failure(reader(bolna))

    assert (error.kind, error.status_code, error.retry_after) == (kind, status_code, None)
    assert len(bolna.served) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.html(), Fault.empty(), Fault.truncated(), Fault.array(), Fault.other_batch()],
    ids=lambda fault: fault.name,
)
async def test_an_unusable_body_fails_the_poll_and_the_next_one_reads(
    bolna: SimulatedBolna, fault: Fault, reader: Reader
) -> None:
    bolna.fault(fault, times=1)

    async with reader(bolna) as provider:
        with pytest.raises(PollError) as caught:
            await provider.read("b1")
        await provider.read("b1")

    assert (caught.value.kind, caught.value.status_code) == (FailureKind.INVALID_BODY, 200)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.black_hole(), FailureKind.TIMEOUT),
        (Fault.slow_drip(), FailureKind.TIMEOUT),
        (Fault.reset(), FailureKind.DISCONNECTED),
        (Fault.black_hole(0), FailureKind.DISCONNECTED),
        (Fault.body(b" " * (2 * 1024 * 1024 + 1)), FailureKind.TOO_LARGE),
        (Fault.body(b"{}", headers={"Content-Encoding": "gzip"}), FailureKind.ENCODING),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_broken_exchange_names_its_kind(
    bolna: SimulatedBolna, fault: Fault, kind: FailureKind, reader: Reader
) -> None:
    bolna.fault(fault)

    error = await failure(reader(bolna, deadline=0.2 if kind is FailureKind.TIMEOUT else HANG))

    assert (error.kind, error.status_code) == (kind, None)


async def test_a_forbidden_address_names_its_kind(bolna: SimulatedBolna, reader: Reader) -> None:
    error = await failure(reader(bolna, api_key=KEY, allow_private=False))

    assert error.kind is FailureKind.ADDRESS
    assert bolna.served == []


async def test_a_closed_port_names_its_kind(bolna: SimulatedBolna, reader: Reader) -> None:
    await bolna.stop()

    error = await failure(reader(bolna))

    assert error.kind is FailureKind.CONNECT


@pytest.mark.parametrize(
    ("sent", "wait"),
    [
        (7, timedelta(seconds=7)),
        ("9" * 5000, timedelta(hours=1)),
        ("-5", timedelta()),
        ("soon", None),
        (datetime(2000, 1, 1, tzinfo=UTC), timedelta()),
        (datetime(2999, 1, 1, tzinfo=UTC), timedelta(hours=1)),
        (None, None),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    bolna: SimulatedBolna, sent: int | str | datetime | None, wait: timedelta | None, reader: Reader
) -> None:
    bolna.fault(Fault.rate_limited(sent))

    error = await failure(reader(bolna))

    assert (error.kind, error.retry_after) == (FailureKind.RATE_LIMITED, wait)


async def test_a_redirect_is_not_followed(bolna: SimulatedBolna, reader: Reader) -> None:
    async with SimulatedBolna(key=KEY) as other:
        other.put("b1", bolna_document("b1"))
        bolna.fault(Fault.redirect(f"{other.base_url}/batches/b1"))

        error = await failure(reader(bolna))

        assert error.kind is FailureKind.REDIRECT
        assert other.served == []


async def test_an_unusable_ca_file_stops_the_start(tmp_path: Path) -> None:
    settings = BolnaSettings.model_validate(
        {"provider": "bolna", "api_key": KEY, "ca_file": str(tmp_path / "ca.pem")}
    )

    with pytest.raises(ConfigError, match=r"ca\.pem"):
        build(settings, deadline=timedelta(seconds=1))
