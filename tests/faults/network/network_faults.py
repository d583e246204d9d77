"""All that goes wrong on the network, and what a provider and a sink must make of it."""

import gzip
from typing import Final

from tests.faults.network.hostile_peer import (
    CLOSING,
    DATA,
    DOCUMENT,
    HEALTHY,
    OK,
    Act,
    Fault,
    Line,
    Meaning,
    be_healthy,
    server_tls,
)

METADATA: Final = "169.254.169.254"
PAUSE: Final = 0.05
"""Seconds between two bytes of a drip."""
HUGE: Final = 100 * 1024 * 1024
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED: Final = gzip.compress(DOCUMENT)
BOMB: Final = gzip.compress(bytes(1024 * 1024)) * 60
"""60 KB that become 60 MB."""

_BLOCK: Final = b" " * 65536
_STRANGER: Final = server_tls(DATA / "stranger.pem", DATA / "stranger.key")
_ELSEWHERE: Final = server_tls(DATA / "elsewhere.pem")
_EXPIRED: Final = server_tls(DATA / "expired.pem")


def answer(*parts: bytes, then: str = "cut", pause: float = 0.02) -> Act:
    """Answer a request by bytes, then hang up, reset, or keep the connection and be healthy."""

    async def act(line: Line) -> None:
        await line.hear()
        await line.say(*parts, pause=pause)
        if then == "reset":
            await line.reset()
        elif then == "keep":
            await be_healthy(line)

    return act


def flood(head: bytes, block: bytes, size: int | None = None, pause: float = 0.0) -> Act:
    """Answer by a head and blocks, up to a size or for ever."""

    async def act(line: Line) -> None:
        await line.hear()
        await line.say(head)
        left = size
        while left is None or left > 0:
            await line.say(block, b"", pause=pause)
            left = left if left is None else left - len(block)

    return act


def header(name: bytes, value: bytes, status: bytes = b"200 OK", body: bytes = DOCUMENT) -> Act:
    """Answer a status and a body, with one header more."""
    length = b"Content-Length: %d" % len(body)
    head = b"\r\n".join((b"HTTP/1.1 " + status, length, name + b": " + value))
    return answer(head + b"\r\n\r\n" + body, then="keep")


def shake(say: bytes = b"") -> Act:
    """Read the beginning of a handshake, answer some bytes, and reset."""

    async def act(line: Line) -> None:
        await line.hear_some()
        await line.say(say)
        await line.reset()

    return act


async def _say_nothing(line: Line) -> None:
    await line.hear_end()


async def _reset_at_once(line: Line) -> None:
    await line.reset()


async def _reset_after_the_request_line(line: Line) -> None:
    await line.hear(b"\r\n")
    await line.reset()


async def _serve_then_reset(line: Line) -> None:
    await line.hear()
    await line.say(HEALTHY)
    await line.reset()


async def _serve_then_reset_the_next(line: Line) -> None:
    await line.hear()
    await line.say(HEALTHY)
    await line.hear()
    await line.reset()


CONNECT: Final = Meaning(read="connect", sent="hold connect")
DISCONNECTED: Final = Meaning(read="disconnected", sent="hold disconnected")
TIMEOUT: Final = Meaning(read="timeout", sent="hold timeout")
PROTOCOL: Final = Meaning(read="protocol", sent="hold protocol")
TLS: Final = Meaning(read="tls", sent="hold tls")


def alert(description: int) -> bytes:
    """Return a fatal alert of TLS (RFC 8446, 6)."""
    return bytes([0x15, 3, 3, 0, 2, 2, description])


def tls(kind: str) -> Meaning:
    """Say that the handshake fails for a reason that has a name of its own."""
    return Meaning(read=f"tls_{kind}", sent=f"hold tls_{kind}")


ADDRESS: Final = Meaning(read="address", sent="hold address")
WELL: Final = Meaning(read="ok", sent="delivered 200")


def unread(kind: str) -> Meaning:
    """Say that a 200 came, and what followed is no use: to a webhook its status says enough."""
    return Meaning(read=kind, sent="delivered 200", posted="hold not_ok")


CUT: Final = unread("disconnected")
STUCK: Final = unread("timeout")
GARBLED: Final = unread("protocol")
ENDLESS: Final = unread("too_large")
NOTHING: Final = Meaning(read="unexpected_status", sent="delivered 204", posted="hold not_ok")
_HEAD: Final = OK + b"Content-Length: %d\r\n\r\n"
_HALF: Final = _HEAD % len(DOCUMENT) + DOCUMENT[:20]
_LENGTH: Final = b"%d" % len(DOCUMENT)
_REST: Final = b"Content-Length: " + _LENGTH + b"\r\n\r\n" + DOCUMENT
_NOTHING: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_INTERIM: Final = b"HTTP/1.1 102 Processing\r\n\r\n"
_REDIRECT: Final = Meaning(read="redirect", sent="retry 307")

CONNECTIONS: Final = (
    Fault(name="refused", port="closed", means=CONNECT),
    Fault(name="SYN black hole", port="full", lasts=True, means=TIMEOUT),
    Fault(name="black hole", act=_say_nothing, lasts=True, means=TIMEOUT),
    Fault(name="black hole after the request", act=answer(then="keep"), lasts=True, means=TIMEOUT),
    Fault(name="reset after accept", act=_reset_at_once, means=DISCONNECTED),
    Fault(name="reset in the request", act=_reset_after_the_request_line, means=DISCONNECTED),
    Fault(name="reset instead of an answer", act=answer(then="reset"), means=DISCONNECTED),
    Fault(name="reset in the head", act=answer(OK, then="reset"), means=CUT),
    Fault(name="reset after the head", act=answer(_HEAD % 9, then="reset"), means=CUT),
    Fault(name="reset in the body", act=answer(_HALF, then="reset"), means=CUT),
    Fault(name="closed instead of an answer", act=answer(), means=DISCONNECTED),
    Fault(name="closed in the head", act=answer(OK), means=CUT),
    Fault(name="reset while idle", act=_serve_then_reset, warm=True, means=WELL),
    Fault(  # a GET is repeated on a fresh connection, a POST never is
        name="reset on reuse",
        act=_serve_then_reset_the_next,
        warm=True,
        means=Meaning(read="ok", sent="hold disconnected"),
    ),
)

ANSWERS: Final = (
    Fault(name="head drips", act=flood(OK + b"X-A: ", b"x", pause=PAUSE), lasts=True, means=STUCK),
    Fault(name="body drips", act=flood(_HEAD % 9999, b" ", pause=PAUSE), lasts=True, means=STUCK),
    Fault(
        name="body drips in chunks",
        act=flood(CHUNKED, b"1\r\n \r\n", pause=PAUSE),
        lasts=True,
        means=STUCK,
    ),
    Fault(name="body without an end", act=answer(_HALF, then="keep"), lasts=True, means=STUCK),
    Fault(name="endless header", act=flood(OK + b"X-A: ", b"x" * 65536), means=GARBLED),
    Fault(name="endless headers", act=flood(OK, b"X-A: b\r\n" * 8000), means=GARBLED),
    Fault(name="endless status line", act=flood(b"HTTP/1.1 200 ", _BLOCK), means=GARBLED),
    Fault(name="100 MB", act=flood(_HEAD % HUGE, _BLOCK, HUGE), means=ENDLESS),
    Fault(name="100 MB of no length", act=flood(OK + b"\r\n", _BLOCK, HUGE), means=ENDLESS),
    Fault(
        name="100 MB in chunks",
        act=flood(CHUNKED, b"10000\r\n" + _BLOCK + b"\r\n", HUGE),
        means=ENDLESS,
    ),
    Fault(name="gzip bomb", act=header(b"Content-Encoding", b"gzip", body=BOMB), means=ENDLESS),
    Fault(name="204 with a body", act=answer(_NOTHING + DOCUMENT, then="keep"), means=NOTHING),
    Fault(name="a header of 60 KB", act=header(b"X-A", b"x" * 60_000), means=WELL),
    Fault(name="1,000 headers", act=answer(OK + b"X-A: b\r\n" * 1000 + _REST), means=WELL),
    Fault(name="gzip unasked", act=header(b"Content-Encoding", b"gzip", body=ZIPPED), means=WELL),
    Fault(name="a charset unasked", act=header(b"Content-Encoding", b"utf-8"), means=WELL),
    Fault(name="brotli", act=header(b"Content-Encoding", b"br"), means=unread("encoding")),
    Fault(name="the length twice", act=header(b"Content-Length", _LENGTH), means=WELL),
    Fault(name="two lengths", act=header(b"Content-Length", b"7"), means=GARBLED),
    Fault(name="length too long", act=answer(_HALF), means=CUT),
    Fault(name="length too short", act=answer(_HEAD % 20 + DOCUMENT, then="keep"), means=GARBLED),
    Fault(name="length is no number", act=header(b"Content-Length", b"many"), means=GARBLED),
    Fault(name="length is negative", act=answer(_HEAD % -1 + DOCUMENT), means=GARBLED),
    Fault(
        name="garbage in chunks",
        act=answer(CHUNKED + b"zz\r\nhalf", then="keep"),
        means=GARBLED,
    ),
    Fault(name="chunks without an end", act=answer(CHUNKED + b"4\r\nhalf\r\n"), means=CUT),
    Fault(name="garbage", act=answer(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then="keep"), means=PROTOCOL),
    Fault(name="binary garbage", act=answer(bytes(range(256)), then="keep"), means=PROTOCOL),
    Fault(name="HTTP/0.9", act=answer(DOCUMENT), means=PROTOCOL),
    Fault(
        name="ten times 100",
        act=answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + CLOSING),
        means=WELL,
    ),
    Fault(
        name="interim answers drip",
        act=flood(b"", _INTERIM, pause=PAUSE),
        lasts=True,
        means=TIMEOUT,
    ),
    Fault(
        name="flood of interim answers", act=flood(b"", _INTERIM * 1000, pause=0.01), means=PROTOCOL
    ),
    Fault(
        name="redirect to metadata",
        means=_REDIRECT,
        act=header(b"Location", f"http://{METADATA}/latest".encode(), b"307 Elsewhere"),
    ),
    Fault(
        name="redirect to itself",
        act=header(b"Location", b"/elsewhere", b"307 Elsewhere"),
        means=_REDIRECT,
    ),
    Fault(
        name="429",
        act=header(b"Retry-After", b"7", b"429 Slow Down"),
        means=Meaning(read="rate_limited", sent="hold 429"),
    ),
    Fault(
        name="503",
        act=header(b"Retry-After", b"7", b"503 Busy"),
        means=Meaning(read="server_error", sent="hold 503"),
    ),
)

NAMES: Final = (
    Fault(name="no such name", resolved=(), means=Meaning(read="dns", sent="hold dns")),
    Fault(  # the last address serves
        name="no answer to the name", resolved=None, lasts=True, means=WELL
    ),
    Fault(name="rebound to metadata", resolved=(METADATA,), means=ADDRESS),
    Fault(name="rebound to mapped metadata", resolved=(f"::ffff:{METADATA}",), means=ADDRESS),
    Fault(name="rebound to Amazon's metadata", resolved=("fd00:ec2::254",), means=ADDRESS),
    Fault(name="rebound to any address", resolved=("0.0.0.0",), means=ADDRESS),  # noqa: S104 (never)
    Fault(name="rebound in part", resolved=(METADATA, "127.0.0.1"), means=WELL),
)

HANDSHAKES: Final = (
    Fault(
        name="no TLS there",
        tls=True,
        raw=True,
        act=shake(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        means=tls("plain_http"),
    ),
    Fault(name="old protocol", tls=True, raw=True, act=shake(alert(70)), means=tls("old_protocol")),
    Fault(
        name="client certificate wanted",
        tls=True,
        raw=True,
        act=shake(alert(42)),
        means=tls("client_certificate"),
    ),
    Fault(name="no handshake", tls=True, raw=True, act=shake(alert(40)), means=tls("handshake")),
    Fault(name="internal error", tls=True, raw=True, act=shake(alert(80)), means=tls("handshake")),
    Fault(name="silence for TLS", tls=True, raw=True, act=_say_nothing, lasts=True, means=TIMEOUT),
    Fault(
        name="TLS cut off",
        tls=True,
        raw=True,
        act=shake(b"\x16\x03\x03\x00\x7a\x02\x00"),
        means=CONNECT,
    ),
    Fault(name="stranger's certificate", tls=True, shown=_STRANGER, means=TLS),
    Fault(name="another name's certificate", tls=True, shown=_ELSEWHERE, means=tls("wrong_name")),
    Fault(name="expired certificate", tls=True, shown=_EXPIRED, means=tls("expired")),
)

FAULTS: Final = (*CONNECTIONS, *ANSWERS, *NAMES, *HANDSHAKES)
