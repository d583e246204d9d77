"""Who answers 2xx has taken the event, whatever is wrong with the rest of the answer."""

import gc
import gzip
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer
from monitor.net.exchange import Exchange
from monitor.net.http import HttpClient
from tests.faults.network.hostile_peer import be_read
from tests.patient import HANG

DEADLINE = timedelta(seconds=HANG)
SOON = timedelta(milliseconds=100)
OK = b"HTTP/1.1 200 OK\r\n"
CPU_LIMIT = 5.0
"""Seconds; a regular expression that tries all ways took minutes."""
EMPTY = b"Content-Length: 0\r\n\r\n"
TWO = b"Content-Length: 2\r\n\r\nok"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(b"ok")

Peer = Any  # conftest's: tests cannot import it


def packed(encoding: bytes, body: bytes) -> bytes:
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body)) + body


SUCCESSES: dict[str, tuple[bytes, str]] = {
    "as it should be": (OK + TWO, "keep"),
    "201": (b"HTTP/1.1 201 Created\r\n" + EMPTY, "keep"),
    "202": (b"HTTP/1.1 202 Accepted\r\n" + EMPTY, "keep"),
    "203": (b"HTTP/1.1 203 Non-Authoritative\r\n" + TWO, "keep"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "keep"),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\n\r\nok", "keep"),
    "204 with a length and a body": (b"HTTP/1.1 204 No Content\r\n" + TWO, "keep"),
    "204 in chunks": (
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "keep",
    ),
    "205 with a body": (b"HTTP/1.1 205 Reset Content\r\n" + TWO, "keep"),
    "206": (b"HTTP/1.1 206 Partial Content\r\n" + TWO, "keep"),
    "299": (b"HTTP/1.1 299 Odd\r\n" + EMPTY, "keep"),
    "no reason": (b"HTTP/1.1 200\r\n" + EMPTY, "keep"),
    "a reason beyond ASCII": (b"HTTP/1.1 200 \xe4\xff\r\n" + EMPTY, "keep"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nok", "close"),
    "a version that nobody knows": (b"HTTP/1.7 200 OK\r\n" + EMPTY, "keep"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "keep"),
    "blank lines first": (b"\r\n\r\n" + OK + EMPTY, "keep"),
    "a header of 9,000 bytes": (OK + b"X-Long: " + b"x" * 9000 + b"\r\n" + EMPTY, "keep"),
    "a header of 200,000 bytes": (OK + b"X-Long: " + b"x" * 200_000 + b"\r\n" + EMPTY, "keep"),
    "a header beyond all bounds": (OK + b"X-Long: " + b"x" * 300_000 + b"\r\n" + EMPTY, "keep"),
    "129 headers": (OK + b"X-A: b\r\n" * 129 + EMPTY, "keep"),
    "1,000 headers": (OK + b"X-A: b\r\n" * 1000 + EMPTY, "keep"),
    "10,000 headers": (OK + b"X-A: b\r\n" * 10_000 + EMPTY, "keep"),
    "a header without a colon": (OK + b"X-Nonsense\r\n" + EMPTY, "keep"),
    "a header without a name": (OK + b": b\r\n" + EMPTY, "keep"),
    "a blank before the colon": (OK + b"X-A : b\r\n" + EMPTY, "keep"),
    "a folded header": (OK + b"X-A: b\r\n c\r\n" + EMPTY, "keep"),
    "NUL in a header": (OK + b"X-A: b\0c\r\n" + EMPTY, "keep"),
    "a header beyond ASCII": (OK + b"X-\xe4: \xff\r\n" + EMPTY, "keep"),
    "gzip": (packed(b"gzip", ZIPPED), "keep"),
    "gzip that is none": (packed(b"gzip", b"ok"), "keep"),
    "gzip cut short": (packed(b"gzip", ZIPPED[:-9]), "keep"),
    "gzip twice": (packed(b"gzip, gzip", gzip.compress(ZIPPED)), "keep"),
    "deflate": (packed(b"deflate", zlib.compress(b"ok")), "keep"),
    "brotli": (packed(b"br", b"ok"), "keep"),
    "a charset for an encoding": (packed(b"utf-8", b"ok"), "keep"),
    "nonsense for an encoding": (packed(b"aws-chunked", b"ok"), "keep"),
    "a charset that is none": (OK + b"Content-Type: a/b; charset=nonsense\r\n" + TWO, "keep"),
    "the length twice": (OK + b"Content-Length: 2\r\n" + TWO, "keep"),
    "the length twice in one": (OK + b"Content-Length: 2, 2\r\n\r\nok", "keep"),
    "two lengths": (OK + b"Content-Length: 3\r\n" + TWO, "keep"),
    "a length that is no number": (OK + b"Content-Length: many\r\n\r\nok", "keep"),
    "a length below zero": (OK + b"Content-Length: -2\r\n\r\nok", "keep"),
    "a length beyond 64 bits": (OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nok", "keep"),
    "no length, and it stays open": (OK + b"\r\nok", "keep"),
    "a length and chunks": (CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n0\r\n\r\n", "keep"),
    "an unknown transfer coding": (OK + b"Transfer-Encoding: odd\r\n" + TWO, "keep"),
    "chunks with extensions and trailers": (CHUNKED + b"2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n", "keep"),
    "garbage for a chunk": (CHUNKED + b"zz\r\nok", "keep"),
    "chunks without an end": (CHUNKED + b"2\r\nok\r\n", "close"),
    "a body that never comes": (OK + b"Content-Length: 2\r\n\r\n", "keep"),
    "a body cut short": (OK + b"Content-Length: 9\r\n\r\nok", "close"),
    "a body cut by a reset": (OK + b"Content-Length: 9\r\n\r\nok", "reset"),
    "a body that drips": (OK + b"Content-Length: 900000\r\n\r\n", "drip"),
    "a body without an end": (OK + b"Content-Length: 900000\r\n\r\n" + b"x" * 9000, "keep"),
    "another answer behind it": (OK + TWO + b"HTTP/1.1 500 Oh\r\n" + EMPTY, "keep"),
    "interim answers first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + OK + TWO,
        "keep",
    ),
    "a broken interim answer first": (b"HTTP/1.1 100 Continue\r\n\0:\r\n\r\n" + OK + TWO, "keep"),
    "an interim answer of bare line feeds": (b"HTTP/1.1 100 Continue\n\n" + OK + TWO, "keep"),
    "a flood behind it": (OK + EMPTY + b"HTTP/1.1 102 Processing\r\n\r\n" * 1000, "keep"),
    "a head cut by the end": (OK, "close"),
    "a head cut amid a header": (OK + b"Content-Le", "close"),
    "a head cut by a reset": (OK, "reset"),
    "a head that drips": (OK + b"X: ", "drip"),
    "a head that never ends": (OK, "keep"),
}
UNFINISHED = {"a head that drips", "a head that never ends"}
"""Nothing but the deadline ends them."""


@pytest.mark.parametrize("name", SUCCESSES)
async def test_a_2xx_is_a_success_once_its_status_is_here(
    peer: Peer, make_client: Callable[..., HttpClient], name: str
) -> None:
    answer, then = SUCCESSES[name]
    client = make_client(success_waits=SOON)
    deadlines = (SOON * 5, SOON * 50, DEADLINE) if name in UNFINISHED else (DEADLINE,)

    said = await answer_of(client, await peer.serve(answer, then=then), deadlines)

    assert 200 <= said.status_code < 300
    assert said.body in {b"", b"ok"} or name in {"a body that drips", "a body without an end"}
    healthy = await client.post(await peer.serve(), {}, b"x", deadline=DEADLINE)
    assert (healthy.status_code, healthy.body) == (200, b"ok")


async def answer_of(client: HttpClient, url: str, deadlines: Sequence[timedelta]) -> Answer:
    """Post until a status has come within one of the deadlines: a busy machine takes its time."""
    *short, last = deadlines
    for deadline in short:
        with suppress(NetworkError):
            return await client.post(url, {}, b"x" * 10_000, deadline=deadline)
    return await client.post(url, {}, b"x" * 10_000, deadline=last)


@pytest.mark.parametrize("name", ["as it should be", "gzip", "deflate", "the length twice in one"])
async def test_what_can_be_read_of_it_is_read(
    peer: Peer, make_client: Callable[..., HttpClient], name: str
) -> None:
    answer, then = SUCCESSES[name]
    client = make_client(success_waits=DEADLINE)

    said = await client.post(await peer.serve(answer, then=then), {}, b"x", deadline=DEADLINE)

    assert said.body == b"ok"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_a_head_may_come_in_pieces(
    peer: Peer, make_client: Callable[..., HttpClient], size: int
) -> None:
    whole = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n" + TWO
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    client = make_client(success_waits=DEADLINE)

    for _ in range(2):
        said = await client.post(await peer.serve(*pieces), {}, b"x", deadline=DEADLINE)

        assert (said.status_code, said.body) == (200, b"ok")


@pytest.mark.parametrize(
    ("answer", "then", "kind"),
    [
        (b"", "close", NetworkKind.DISCONNECTED),
        (b"HTTP/1.1 20", "close", NetworkKind.DISCONNECTED),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "close", NetworkKind.DISCONNECTED),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 1000, "keep", NetworkKind.PROTOCOL),
        (b"HTTP/1.1 20 OK\r\n\r\n", "keep", NetworkKind.PROTOCOL),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "keep", NetworkKind.PROTOCOL),
        (b"200 OK\r\n\r\n", "keep", NetworkKind.PROTOCOL),
        (b"SSH-2.0-OpenSSH\r\n", "keep", NetworkKind.PROTOCOL),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_without_the_status_of_a_2xx_there_is_no_success(
    peer: Peer,
    make_client: Callable[..., HttpClient],
    answer: bytes,
    then: str,
    kind: NetworkKind,
) -> None:
    client = make_client(success_waits=SOON)

    with pytest.raises(NetworkError) as caught:
        await client.post(await peer.serve(answer, then=then), {}, b"x", deadline=DEADLINE)

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("rest", "then"),
    [
        (b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nbye", "keep"),
        (b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbye", "keep"),
        (b"Content-Length: 30\r\n\r\nbye", "close"),
        (b"Content-Length: 30\r\n\r\nbye", "reset"),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nbye", "keep"),
    ],
    ids=["brotli", "no gzip", "cut short", "reset", "no chunk"],
)
@pytest.mark.parametrize("document", [True, False])
async def test_a_refusal_counts_from_its_head_on_for_everybody(
    peer: Peer, make_client: Callable[..., HttpClient], rest: bytes, then: str, document: bool
) -> None:
    client = make_client(success_waits=None if document else SOON)
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n"

    answer = await client.get(await peer.serve(head + rest, then=then), {}, deadline=DEADLINE)

    assert (answer.status_code, answer.retry_after) == (429, "7")


async def test_what_is_said_unasked_answers_nothing(client: HttpClient, peer: Peer) -> None:
    """Else a delivery would be taken for delivered by the answer to another one."""
    stale = OK + b"Content-Length: 5\r\n\r\nstale"
    url = await peer.serve(OK + TWO, stale)

    for _ in range(5):
        answer = await client.post(url, {}, b"x", deadline=DEADLINE)
        await be_read()  # by the server's pause between its parts
        await be_read()

        assert answer.body == b"ok"
    assert peer.connections == 5


@pytest.mark.parametrize("rest", [b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_body_that_a_204_announces_does_not_spoil_the_next(
    peer: Peer, make_client: Callable[..., HttpClient], rest: bytes
) -> None:
    client = make_client(success_waits=DEADLINE)
    url = await peer.serve(b"HTTP/1.1 204 No Content\r\n" + rest + b"\r\n", b"ok")

    codes = [(await client.post(url, {}, b"x", deadline=DEADLINE)).status_code for _ in range(6)]

    assert codes == [204] * 6


async def test_a_switch_of_protocols_is_no_success(
    peer: Peer, make_client: Callable[..., HttpClient]
) -> None:
    client = make_client(success_waits=SOON)
    url = await peer.serve(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\n\r\n" + OK + TWO)

    answer = await client.post(url, {}, b"x", deadline=DEADLINE)

    assert answer.status_code == 101


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length:" + b" " * 250_000 + b"\rx\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length: 1, 1" * 12_000 + b"\r\n\r\n",
        OK + b"Content-Length: 0\r\n" * 4000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 30 + OK + b"\xff" * 250_000 + b"\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\n" + b"Retry-After:" * 20_000 + b"\r\n\r\n",
    ],
    ids=["blanks", "a list", "many", "beyond ASCII", "a refusal"],
)
async def test_a_hostile_head_costs_little(
    peer: Peer, make_client: Callable[..., HttpClient], head: bytes
) -> None:
    client, url = make_client(success_waits=SOON), await peer.serve(head, then="close")
    before = time.process_time()

    with suppress(NetworkError):
        await client.post(url, {}, b"x", deadline=DEADLINE)

    assert time.process_time() - before < CPU_LIMIT


async def test_nothing_of_an_answer_stays_with_its_connection(
    client: HttpClient, peer: Peer
) -> None:
    answer = await client.get(await peer.serve(), {}, deadline=DEADLINE)

    kept = [one for one in gc.get_objects() if isinstance(one, Exchange) and one._parts]
    assert (answer.body, kept) == (b"ok", [])


async def test_a_mark_of_the_byte_order_is_no_part_of_it(
    peer: Peer, make_client: Callable[..., HttpClient]
) -> None:
    url = await peer.serve(OK + b"Content-Length: 5\r\n\r\n\xef\xbb\xbfok")

    answer = await make_client(success_waits=DEADLINE).post(url, {}, b"x", deadline=DEADLINE)

    assert answer.body == b"ok"
