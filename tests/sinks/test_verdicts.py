"""One table of HTTP answers, run against every kind of sink over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from aiohttp import web
from pydantic import TypeAdapter

from monitor.core.delivery import Delivery, Verdict, VerdictKind
from monitor.engine.ports import Sink
from monitor.sinks import ReceiverSettings, SlackSettings, build
from tests.consumer import Consumer

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SENT_AT = datetime(2026, 1, 29, 8, 31, 2, tzinfo=UTC)
TABLES: dict[str, Callable[[str], dict[str, Any]]] = {
    "slack": lambda url: {"webhook_url": url},
    "webhook": lambda url: {"url": url, "secret": SECRET, "timeout": "1s"},
}
SECRETS = {"slack": "webhook_url", "webhook": "secret"}
DELIVERED, RETRY, HOLD, DEAD = VerdictKind

ANSWERS: list[tuple[int, dict[str, str], VerdictKind, int | None]] = [
    (200, {}, DELIVERED, None),
    (201, {}, DELIVERED, None),
    (202, {}, DELIVERED, None),
    (301, {"Location": "/elsewhere"}, RETRY, None),
    (302, {"Location": "/elsewhere"}, RETRY, None),
    (307, {"Location": "/elsewhere"}, RETRY, None),
    (308, {"Location": "/elsewhere"}, RETRY, None),
    (400, {}, RETRY, None),
    (401, {}, RETRY, None),
    (403, {}, RETRY, None),
    (404, {}, RETRY, None),
    (409, {}, RETRY, None),
    (410, {}, DEAD, None),
    (413, {}, RETRY, None),
    (422, {}, RETRY, None),
    (429, {}, HOLD, None),
    (429, {"Retry-After": "7"}, HOLD, 7),
    (429, {"Retry-After": "Thu, 29 Jan 2026 08:31:32 GMT"}, HOLD, 30),
    (429, {"Retry-After": "99999"}, HOLD, 3600),
    (429, {"Retry-After": "soon"}, HOLD, None),
    (500, {}, HOLD, None),
    (502, {}, HOLD, None),
    (503, {"Retry-After": "7"}, HOLD, 7),
    (504, {}, HOLD, None),
    (599, {}, HOLD, None),
]

MakeDelivery = Callable[..., Delivery]
MakeSink = Callable[..., Sink]


@pytest.fixture(params=sorted(TABLES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def make_sink(kind: str) -> AsyncIterator[MakeSink]:
    """Make a sink of the kind under test that posts to a URL; closed at the end."""
    made: list[Sink] = []

    def make(url: str, **table: Any) -> Sink:
        base = {"kind": kind, "allow_http": True, "allow_private": True} | TABLES[kind](url)
        base = {key: value for key, value in base.items() if f"{key}_env" not in table}
        made.append(build("r", TypeAdapter(ReceiverSettings).validate_python(base | table)))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


def test_every_kind_is_in_the_table() -> None:
    union, _ = get_args(ReceiverSettings)

    assert {s.model_fields["kind"].annotation.__args__[0] for s in get_args(union)} == set(TABLES)


@pytest.mark.parametrize(("status_code", "headers", "expected", "retry_after"), ANSWERS)
async def test_an_answer_has_the_same_verdict_from_every_sink(
    receiver: Consumer,
    make_sink: MakeSink,
    make_delivery: MakeDelivery,
    status_code: int,
    headers: dict[str, str],
    expected: VerdictKind,
    retry_after: int | None,
) -> None:
    receiver.script.extend([web.Response(status=status_code, headers=headers, text="ok")])

    verdict = await make_sink(receiver.url).send(make_delivery(), sent_at=SENT_AT)

    assert (verdict.kind, verdict.status_code) == (expected, status_code)
    asked = None if retry_after is None else timedelta(seconds=retry_after)
    assert verdict.retry_after == asked
    assert len(receiver.arrived) == 1


async def test_a_failure_keeps_4_kib_of_text_without_secrets_and_controls(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    def echo(request: web.BaseRequest) -> web.Response:
        text = f"bad\x1b[2J\u202e {request.url} {request.path_qs} {SECRET} " + "ä" * 70_000
        return web.Response(status=500, text=text)

    receiver.script.extend([echo])

    verdict = await make_sink(receiver.url).send(make_delivery(), sent_at=SENT_AT)

    assert verdict.response is not None
    assert verdict.response.startswith("bad\ufffd[2J\ufffd ")
    assert 4000 < len(verdict.response.encode()) <= 4096
    for hidden in ("verysecretpathpart", "0123456789abcdef", "/hooks/"):
        assert hidden not in verdict.response


async def test_a_success_keeps_no_text(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    verdict = await make_sink(receiver.url).send(make_delivery(), sent_at=SENT_AT)

    assert verdict == Verdict(kind=DELIVERED, status_code=200)


async def test_a_refused_connection_holds(make_sink: MakeSink, make_delivery: MakeDelivery) -> None:
    verdict = await make_sink("http://127.0.0.1:1/x").send(make_delivery(), sent_at=SENT_AT)

    assert verdict == Verdict(kind=HOLD, error="connect")


async def test_a_forbidden_address_holds(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    sink = make_sink(receiver.url, allow_private=False)

    verdict = await sink.send(make_delivery(), sent_at=SENT_AT)

    assert verdict == Verdict(kind=HOLD, error="address")
    assert receiver.arrived == []


async def test_silence_holds(
    make_sink: MakeSink, make_delivery: MakeDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    monkeypatch.setattr(SlackSettings, "timeout", timedelta(seconds=1))
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    verdict = await make_sink(f"http://127.0.0.1:{port}/x").send(make_delivery(), sent_at=SENT_AT)

    assert verdict == Verdict(kind=HOLD, error="timeout")
    server.close()


async def test_a_missing_secret_holds_until_it_is_there(
    receiver: Consumer,
    make_sink: MakeSink,
    make_delivery: MakeDelivery,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = make_sink(receiver.url, **{f"{SECRETS[kind]}_env": "RECEIVER_SECRET"})

    missing = await sink.send(make_delivery(), sent_at=SENT_AT)
    monkeypatch.setenv("RECEIVER_SECRET", "no such form")
    malformed = await sink.send(make_delivery(), sent_at=SENT_AT)
    monkeypatch.setenv("RECEIVER_SECRET", SECRET if kind == "webhook" else receiver.url)
    sound = await sink.send(make_delivery(), sent_at=SENT_AT)

    assert missing == Verdict(kind=HOLD, error="secret_missing")
    assert malformed == Verdict(kind=HOLD, error="secret_malformed")
    assert sound.kind is DELIVERED


async def test_a_closed_sink_holds(
    receiver: Consumer, make_sink: MakeSink, make_delivery: MakeDelivery
) -> None:
    sink = make_sink(receiver.url)
    await sink.close()

    verdict = await sink.send(make_delivery(), sent_at=SENT_AT)

    assert verdict == Verdict(kind=HOLD, error="connect")
