import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net.answer import Answer
from monitor.net.http import HttpClient
from monitor.net.tls import tls_context
from tests.descriptors import no_descriptors
from tests.patient import HANG

DEADLINE = timedelta(seconds=HANG)
SHORT = timedelta(milliseconds=150)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LONG_NAME = ".".join(["a" * 60] * 5) + ".invalid"  # fails without asking anybody

Peer = Any  # conftest's: tests cannot import it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    name: str
    kind: NetworkKind
    parts: tuple[bytes, ...] = ()
    then: str = "keep"
    url: str | None = None
    tls: bool = False
    greeting: bytes = b""
    private: bool = True


FAULTS = [
    Fault(name="refused", kind=NetworkKind.CONNECT, url="http://127.0.0.1:1/"),
    Fault(name="no such name", kind=NetworkKind.DNS, url=f"http://{LONG_NAME}/"),
    Fault(name="self-signed", kind=NetworkKind.TLS, tls=True),
    Fault(
        name="no TLS there",
        kind=NetworkKind.TLS_PLAIN_HTTP,
        url="https://127.0.0.1:{port}/",
        greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ),
    *(
        Fault(
            name=f"alert {number}",
            kind=kind,
            url="https://127.0.0.1:{port}/",
            greeting=bytes([0x15, 3, 3, 0, 2, 2, number]),  # RFC 8446, 6
        )
        for number, kind in (
            (40, NetworkKind.TLS_HANDSHAKE),  # handshake_failure
            (42, NetworkKind.TLS_CLIENT_CERTIFICATE),  # bad_certificate
            (70, NetworkKind.TLS_OLD_PROTOCOL),  # protocol_version
            (80, NetworkKind.TLS_HANDSHAKE),  # internal_error
            (112, NetworkKind.TLS_WRONG_NAME),  # unrecognized_name
        )
    ),
    Fault(name="silence for TLS", kind=NetworkKind.TIMEOUT, url="https://127.0.0.1:{port}/"),
    Fault(
        name="closed before the answer",
        kind=NetworkKind.DISCONNECTED,
        parts=(b"",),
        then="close",
    ),
    Fault(
        name="reset before the answer",
        kind=NetworkKind.DISCONNECTED,
        parts=(b"",),
        then="reset",
    ),
    Fault(name="reset within the head", kind=NetworkKind.DISCONNECTED, parts=(OK,), then="reset"),
    Fault(
        name="reset within the body",
        kind=NetworkKind.DISCONNECTED,
        parts=(OK + b"Content-Length: 10\r\n\r\nhalf",),
        then="reset",
    ),
    Fault(
        name="content-length too long",
        kind=NetworkKind.DISCONNECTED,
        parts=(OK + b"Content-Length: 10\r\n\r\nhalf",),
        then="close",
    ),
    Fault(
        name="chunks without an end",
        kind=NetworkKind.DISCONNECTED,
        parts=(CHUNKED + b"4\r\nhalf\r\n",),
        then="close",
    ),
    Fault(name="black hole", kind=NetworkKind.TIMEOUT, parts=(b"",)),
    Fault(name="dripping head", kind=NetworkKind.TIMEOUT, parts=(OK + b"X: ",), then="drip"),
    Fault(
        name="dripping body",
        kind=NetworkKind.TIMEOUT,
        parts=(OK + b"Content-Length: 900\r\n\r\n",),
        then="drip",
    ),
    Fault(name="garbage", kind=NetworkKind.PROTOCOL, parts=(b"SSH-2.0-OpenSSH\r\n\r\n",)),
    Fault(name="garbage in chunks", kind=NetworkKind.PROTOCOL, parts=(CHUNKED + b"zz\r\nhalf",)),
    Fault(
        name="garbage in a later chunk",
        kind=NetworkKind.TIMEOUT,  # aiohttp's reader is told nothing of it: the deadline ends it
        parts=(CHUNKED + b"4\r\nhalf\r\n", b"zz\r\n"),
    ),
    Fault(
        name="endless head",
        kind=NetworkKind.PROTOCOL,
        parts=(OK + b"X-Long: " + b"x" * 300_000 + b"\r\n\r\n",),
    ),
    Fault(
        name="endless interim answers",
        kind=NetworkKind.PROTOCOL,
        parts=(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,),
    ),
    Fault(
        name="content-length not a number",
        kind=NetworkKind.PROTOCOL,
        parts=(OK + b"Content-Length: many\r\n\r\n",),
    ),
    Fault(
        name="too large",
        kind=NetworkKind.TOO_LARGE,
        parts=(OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000,),
    ),
    Fault(
        name="too large in chunks",
        kind=NetworkKind.TOO_LARGE,
        parts=(CHUNKED, *[b"1f4\r\n" + b"x" * 500 + b"\r\n"] * 3),
    ),
    Fault(
        name="brotli",
        kind=NetworkKind.ENCODING,
        parts=(OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\nxx",),
    ),
    Fault(name="loopback", kind=NetworkKind.ADDRESS, private=False),
    Fault(
        name="loopback by name",
        kind=NetworkKind.ADDRESS,
        url="http://localhost:{port}/",
        private=False,
    ),
    Fault(
        name="loopback as v4-mapped v6",
        kind=NetworkKind.ADDRESS,
        url="http://[::ffff:127.0.0.1]:{port}/",
        private=False,
    ),
    Fault(name="metadata", kind=NetworkKind.ADDRESS, url="http://169.254.169.254/latest"),
    Fault(name="any", kind=NetworkKind.ADDRESS, url="http://[::ffff:0.0.0.0]:{port}/"),
    Fault(name="scoped", kind=NetworkKind.ADDRESS, url="http://[fe80::1%25lo]:{port}/"),
    Fault(name="decimal address", kind=NetworkKind.PROTOCOL, url="http://2130706433:{port}/"),
    Fault(name="no URL", kind=NetworkKind.PROTOCOL, url="no url"),
    Fault(name="no host", kind=NetworkKind.PROTOCOL, url="http://"),
    Fault(name="no HTTP", kind=NetworkKind.PROTOCOL, url="ftp://127.0.0.1/"),
    Fault(name="no port", kind=NetworkKind.PROTOCOL, url="http://127.0.0.1:x/"),
    Fault(name="long label", kind=NetworkKind.PROTOCOL, url=f"http://{'a' * 64}.invalid/"),
]


def test_every_kind_is_driven() -> None:
    shown = {NetworkKind.TLS_EXPIRED, NetworkKind.TLS_WRONG_NAME, NetworkKind.DESCRIPTORS}
    shown |= {NetworkKind.ROOM}  # in test_room
    assert {fault.kind for fault in FAULTS} | shown == set(NetworkKind)


@pytest.mark.parametrize(
    ("shown", "kind", "says"),
    [
        ("expired", NetworkKind.TLS_EXPIRED, "certificate has expired"),
        ("early", NetworkKind.TLS_EXPIRED, "certificate is not yet valid"),
        (
            "elsewhere",
            NetworkKind.TLS_WRONG_NAME,
            "ip address mismatch, certificate is not valid for '127.0.0.1'.",
        ),
    ],
)
async def test_a_certificate_that_is_trusted_and_of_no_use_says_why(
    peer: Peer,
    make_client: Callable[..., HttpClient],
    certificate: Path,
    shown: str,
    kind: str,
    says: str,
) -> None:
    file = certificate.with_name(f"{shown}.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, certificate.with_suffix(".key"))
    client = make_client(tls=tls_context(file))

    with pytest.raises(NetworkError) as caught:
        await send(client, "GET", await peer.serve(tls=context), DEADLINE)

    assert caught.value.kind is kind
    assert caught.value.reason == says


@pytest.mark.parametrize(
    ("version", "hears", "kind"),
    [
        (ssl.TLSVersion.TLSv1_2, 0, NetworkKind.TLS_HANDSHAKE),
        (ssl.TLSVersion.TLSv1_3, 10_000, NetworkKind.TLS_CLIENT_CERTIFICATE),
    ],
)
async def test_a_server_that_wants_a_client_certificate_says_so(
    make_client: Callable[..., HttpClient],
    certificate: Path,
    server_tls: ssl.SSLContext,
    version: ssl.TLSVersion,
    hears: int,
    kind: NetworkKind,
) -> None:
    """In TLS 1.3 the handshake is over by then, and the request on its way."""
    server_tls.maximum_version = version
    server_tls.verify_mode = ssl.CERT_REQUIRED
    client = make_client(tls=tls_context(certificate))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        shaking = asyncio.create_task(asyncio.to_thread(refuse, listening, server_tls, hears=hears))
        with pytest.raises(NetworkError) as caught:
            await send(client, "POST", url, DEADLINE)  # aiohttp tries a GET twice
        await client.close()
        await shaking

    assert caught.value.kind is kind


def refuse(listening: socket.socket, tls: ssl.SSLContext, *, hears: int) -> None:
    """Refuse one client by an alert, once so many bytes came, and hear it out.

    asyncio's own server hangs up instead.
    """
    connection, _ = listening.accept()
    with connection:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = tls.wrap_bio(incoming, outgoing, server_side=True)
        number = 0
        while heard := connection.recv(65536):
            number += incoming.write(heard)
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
            except ssl.SSLError:
                break
        while number < hears:
            number += len(connection.recv(65536))
        connection.sendall(outgoing.read())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # else a reset overtakes the alert
            pass


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_each_failure_has_its_kind_and_leaves_the_client_well(
    peer: Peer,
    make_client: Callable[..., HttpClient],
    server_tls: ssl.SSLContext,
    fault: Fault,
    method: str,
) -> None:
    tls = server_tls if fault.tls else None
    url = await peer.serve(*fault.parts, then=fault.then, tls=tls, greeting=fault.greeting)
    url = url if fault.url is None else fault.url.format(port=peer.port)
    client = make_client(allow_private=fault.private)
    deadline = SHORT if fault.kind is NetworkKind.TIMEOUT else DEADLINE

    async with asyncio.timeout(HANG):
        with pytest.raises(NetworkError) as caught:
            await send(client, method, url, deadline)

    assert caught.value.kind is fault.kind
    reason = caught.value.reason
    assert (reason is not None) == fault.kind.startswith(("tls", "too_large"))
    assert str(caught.value) == (f"{fault.kind.value}: {reason}" if reason else fault.kind.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if fault.private:
        answer = await send(client, method, await peer.serve(), DEADLINE)
        assert answer.body == b"ok"


async def send(client: HttpClient, method: str, url: str, deadline: timedelta) -> Answer:
    if method == "GET":
        return await client.get(url, {}, deadline=deadline)
    return await client.post(url, {}, b"x" * 10_000, deadline=deadline)


async def test_a_header_that_cannot_be_sent_is_a_protocol_failure(
    client: HttpClient, peer: Peer
) -> None:
    with pytest.raises(NetworkError, match="protocol"):
        await client.get(await peer.serve(), {"X-A": "a\r\nX-B: b"}, deadline=DEADLINE)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_process_without_descriptors_blames_nobody_else(
    client: HttpClient, host: str
) -> None:
    """Its look-ups fail, too, as if there were no such name."""
    with no_descriptors(), pytest.raises(NetworkError) as caught:
        await client.get(f"http://{host}:1/", {}, deadline=DEADLINE)

    assert caught.value.kind is NetworkKind.DESCRIPTORS
