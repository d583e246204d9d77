import asyncio
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import __version__
from monitor.core.errors import ConfigError, NetworkError, PollError
from monitor.core.failure import FailureKind
from monitor.net import http, tls
from monitor.net.answer import Answer
from monitor.net.http import HttpClient
from monitor.net.retry_after import parse_retry_after
from monitor.net.tls import tls_context
from tests.patient import HANG

DEADLINE = timedelta(seconds=HANG)
SHORT = timedelta(milliseconds=200)
AT = datetime(2026, 1, 29, 8, 31, 2, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\n"
SLOW_DOWN = (
    b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 3\r\nContent-Type: a/b\r\n\r\nbye"
)

Peer = Any  # conftest's: tests cannot import it


async def test_an_answer_comes_whole_with_its_headers(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(SLOW_DOWN)

    answer = await client.get(url, {"Authorization": "Bearer x"}, deadline=DEADLINE)

    assert answer == Answer(status_code=429, body=b"bye", retry_after="7")


@pytest.mark.parametrize(
    "target",
    [
        "/triggers/a/run?sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a%2Bb%3A%40_-",
        "/a%2Fb/%41%7E~/c;d=1,2/",
        "/hook?a=b+c&d&e=&&f=%20%26%3D%23",
        "/%2f?x=%2f",
        "//double//slash",
        "?only=query",
        "/'(!*)$[]|^`",
    ],
)
async def test_a_url_leaves_as_it_was_written(client: HttpClient, peer: Peer, target: str) -> None:
    """A signed URL (Azure's workflows, Teams) is valid in no other spelling."""
    url = (await peer.serve()).removesuffix("/batches/1") + target

    await client.get(url, {}, deadline=DEADLINE)
    await client.post(url, {}, b"x", deadline=DEADLINE)

    written = target if target.startswith("/") else f"/{target}"
    lines = [request.split(b"\r\n", 1)[0].decode() for request in peer.requests]
    assert lines == [f"GET {written} HTTP/1.1", f"POST {written} HTTP/1.1"]


async def test_a_request_says_who_asks_and_wants_no_encoding(
    client: HttpClient, peer: Peer
) -> None:
    await client.get(await peer.serve(), {"Authorization": "Bearer x"}, deadline=DEADLINE)

    head = peer.requests[0].decode().lower()
    assert head.startswith("get /batches/1 http/1.1\r\n")
    for line in (
        f"user-agent: batch-monitor/{__version__}",
        "accept-encoding: identity",
        "authorization: bearer x",
        f"host: 127.0.0.1:{peer.port}",
    ):
        assert head.count(f"{line}\r\n") == 1


async def test_requests_share_a_connection(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve()

    for _ in range(3):
        await client.get(url, {}, deadline=DEADLINE)

    assert (peer.connections, len(peer.requests)) == (1, 3)


async def test_a_post_sends_its_bytes_untouched(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve()

    await client.post(url, {"content-type": "a/b"}, b'{"\xc3\xa4"}', deadline=DEADLINE)

    assert peer.bodies == [b'{"\xc3\xa4"}']
    assert b"content-type: a/b\r\n" in peer.requests[0].lower()


async def test_a_post_is_never_repeated_by_itself(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(b"", then="close")

    with pytest.raises(NetworkError):
        await client.post(url, {}, b"{}", deadline=DEADLINE)

    assert len(peer.requests) == 1


async def test_a_redirect_is_an_answer(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    )

    answer = await client.get(url, {}, deadline=DEADLINE)

    assert (answer.status_code, len(peer.requests)) == (302, 1)


async def test_a_cookie_does_not_come_back(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(OK + b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    await client.get(url, {}, deadline=DEADLINE)
    await client.get(url, {}, deadline=DEADLINE)

    assert b"cookie" not in peer.requests[1].lower()


async def test_the_environment_names_no_proxy(
    client: HttpClient, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    answer = await client.get(await peer.serve(), {}, deadline=DEADLINE)

    assert answer.status_code == 200


async def test_excess_bytes_do_not_spoil_the_next_request(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 Bad\r\n\r\n")

    first = await client.get(url, {}, deadline=DEADLINE)
    second = await client.get(url, {}, deadline=DEADLINE)

    assert (first.status_code, second.status_code) == (200, 200)
    assert peer.connections == 2


async def test_a_body_of_exactly_the_limit_passes(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)

    answer = await client.get(url, {}, deadline=DEADLINE)

    assert len(answer.body) == 1000


async def test_a_body_in_pieces_is_joined(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"
    )

    assert (await client.get(url, {}, deadline=DEADLINE)).body == b"ab"


async def test_a_long_body_is_cut_where_that_is_asked_for(
    make_client: Callable[..., HttpClient], peer: Peer
) -> None:
    url = await peer.serve(OK + b"Content-Length: 50000\r\n\r\n" + b"x" * 5000)
    client = make_client(success_waits=DEADLINE)  # must not wait for the rest, which never comes

    answers = [await client.get(url, {}, deadline=DEADLINE) for _ in range(2)]

    assert [len(answer.body) for answer in answers] == [1000] * 2
    assert peer.connections == 2


@pytest.mark.parametrize("head", [b"", OK, OK + b"Content-Length: 10\r\n\r\nhalf"])
async def test_a_cancelled_request_gives_its_connection_back(
    client: HttpClient, peer: Peer, head: bytes
) -> None:
    url = await peer.serve(head)
    request = asyncio.create_task(client.get(url, {}, deadline=DEADLINE))
    await peer.asked.wait()

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert (await client.get(await peer.serve(), {}, deadline=DEADLINE)).status_code == 200


async def test_closing_ends_the_requests_under_way(client: HttpClient, peer: Peer) -> None:
    request = asyncio.create_task(client.get(await peer.serve(b""), {}, deadline=DEADLINE))
    await peer.asked.wait()

    await client.close()

    with pytest.raises(NetworkError, match="disconnected"):
        await request


async def test_a_closed_client_fails_as_connect(client: HttpClient) -> None:
    await client.close()

    with pytest.raises(NetworkError, match="connect"):
        await client.get("http://127.0.0.1:1/", {}, deadline=DEADLINE)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_ca_file_makes_its_certificate_trusted(
    make_client: Callable[..., HttpClient],
    peer: Peer,
    server_tls: ssl.SSLContext,
    certificate: Path,
    host: str,
) -> None:
    await peer.serve(tls=server_tls)
    client = make_client(tls=tls_context(certificate))

    answer = await client.get(f"https://{host}:{peer.port}/", {}, deadline=DEADLINE)

    assert answer.status_code == 200


def test_one_context_serves_all_with_the_same_ca_file(certificate: Path) -> None:
    assert tls_context(certificate) is tls_context(certificate)
    assert tls_context(None) is tls_context(None)
    assert tls_context(None).verify_mode is ssl.CERT_REQUIRED


def test_a_ca_file_that_was_renewed_is_another_one(tmp_path: Path, certificate: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(certificate.read_bytes())
    before = tls_context(file)
    os.utime(file, ns=(1, 1))

    assert tls_context(file) is not before


def test_a_ca_file_that_cannot_be_used_is_a_mistake_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")

    with pytest.raises(ConfigError, match=r"none\.pem cannot be used: No such file"):
        tls_context(tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"empty\.pem cannot be used: it holds no usable"):
        tls_context(tmp_path / "empty.pem")


def test_certifi_stands_in_where_the_system_has_no_authorities(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = ssl.DefaultVerifyPaths("", "", "", "", "", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    tls._tls_context.cache_clear()

    context = tls_context(None)
    tls._tls_context.cache_clear()

    assert context.cert_store_stats()["x509_ca"] > 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("²", None),
        ("0", 0),
        (" 30 ", 30),
        ("-5", 0),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("-" + "9" * 5000, 0),
        (format_datetime(AT + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(AT - timedelta(seconds=90), usegmt=True), 0),
        (format_datetime(AT + timedelta(days=90), usegmt=True), 3600),
        ("Thu, 29 Jan 2026 08:32:02 -0000", 60),
        ("Thu, 29 Jan 2026 08:32:02 +9999", None),
        ("Thu, 99 Jan 2026 08:32:02 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)

    assert parse_retry_after(value, at=AT) == expected


@given(st.text())
def test_no_retry_after_is_too_strange(value: str) -> None:
    wait = parse_retry_after(value, at=AT)

    assert wait is None or timedelta() <= wait <= timedelta(hours=1)


async def test_a_body_is_handed_over_as_it_comes(client: HttpClient, peer: Peer) -> None:
    head = OK + b"Content-Length: 4000\r\n\r\n"
    url = await peer.serve(head + b"a" * 2000, b"b" * 2000)
    parts: list[bytes] = []

    answer = await client.get(url, {}, deadline=DEADLINE, take=parts.append)

    assert answer == Answer(status_code=200, body=b"", retry_after=None)
    assert (b"".join(parts), len(parts) > 1) == (b"a" * 2000 + b"b" * 2000, True)


async def test_only_the_body_of_a_200_is_handed_over(client: HttpClient, peer: Peer) -> None:
    parts: list[bytes] = []

    answer = await client.get(await peer.serve(SLOW_DOWN), {}, deadline=DEADLINE, take=parts.append)

    assert (answer.body, answer.retry_after, parts) == (b"bye", "7", [])


@pytest.mark.parametrize(
    ("parts", "then", "kind"),
    [
        ((OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 4001,), "keep", "too_large"),
        ((OK + b"Content-Encoding: gzip\r\n\r\nxx",), "close", "encoding"),
        ((OK + b"Content-Encoding: zstd\r\n\r\nxx",), "close", "encoding"),
        ((OK + b"Content-Length: 9\r\n\r\nxx",), "close", "disconnected"),
        ((OK + b"\r\n",), "drip", "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_body_that_breaks_while_it_is_handed_over_names_its_kind(
    client: HttpClient,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
    parts: tuple[bytes, ...],
    then: str,
    kind: str,
) -> None:
    monkeypatch.setattr(http, "STREAM_LIMIT", 4000)
    url = await peer.serve(*parts, then=then)

    with pytest.raises(NetworkError) as caught:
        await client.get(
            url, {}, deadline=SHORT if kind == "timeout" else DEADLINE, take=lambda _: None
        )

    assert caught.value.kind == kind


async def test_who_takes_a_body_may_refuse_it(client: HttpClient, peer: Peer) -> None:
    url = await peer.serve(OK + b"Content-Length: 4000\r\n\r\n" + b"x" * 2000)

    def refuse(_: bytes) -> None:
        raise PollError(FailureKind.INVALID_BODY)

    for _ in range(2):  # its connection, the only one, is free again
        with pytest.raises(PollError):
            await client.get(url, {}, deadline=DEADLINE, take=refuse)


async def test_a_private_authority_is_trusted_as_it_is(
    make_client: Callable[..., HttpClient],
    peer: Peer,
    server_tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python 3.13 refuses one without a key identifier; older ones do as they are told to here."""
    lenient = ssl.create_default_context

    def strict(**options: Any) -> ssl.SSLContext:
        context = lenient(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    tls._tls_context.cache_clear()
    server_tls.load_cert_chain(certificate.with_name("plain.pem"), certificate.with_suffix(".key"))
    url = await peer.serve(tls=server_tls)

    answer = await make_client(tls=tls_context(certificate.with_name("plain-ca.pem"))).get(
        url, {}, deadline=DEADLINE
    )
    usual = tls_context(None)
    tls._tls_context.cache_clear()

    assert answer.status_code == 200
    assert usual.verify_flags & ssl.VERIFY_X509_STRICT
