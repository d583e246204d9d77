"""A document is read in every coding that all clients read, whole or as it comes."""

import gzip
import random
import zlib
from datetime import timedelta
from typing import Any

import pytest

from monitor.core.errors import NetworkError, NetworkKind
from monitor.net import http
from monitor.net.body import Body
from monitor.net.http import HttpClient
from tests.patient import HANG

DEADLINE = timedelta(seconds=HANG)
TEXT = '{"name": "Zürich, 東京"}'
WESTERN = '{"name": "Zürich"}'
PLAIN = TEXT.encode()
ZIPPED = gzip.compress(PLAIN)
BOMB = gzip.compress(b"x" * 10**7, 9)
RAW_DEFLATE = zlib.compress(PLAIN, wbits=-15)

Peer = Any  # conftest's: tests cannot import it


def answer(headers: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(body)) + body


READ: dict[str, tuple[bytes, str]] = {
    "plain": (answer(b"", PLAIN), TEXT),
    "203": (answer(b"", PLAIN, b"203 Non-Authoritative Information"), TEXT),
    "a header of 200,000 bytes": (answer(b"X: " + b"x" * 200_000 + b"\r\n", PLAIN), TEXT),
    "1,000 headers": (answer(b"X-A: b\r\n" * 1000, PLAIN), TEXT),
    "the length twice": (answer(b"Content-Length: %d\r\n" % len(PLAIN), PLAIN), TEXT),
    "the length twice in one": (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", "{}"),
    "gzip": (answer(b"Content-Encoding: gzip\r\n", ZIPPED), TEXT),
    "x-gzip": (answer(b"Content-Encoding: X-GZip\r\n", ZIPPED), TEXT),
    "gzip of two members": (
        answer(b"Content-Encoding: gzip\r\n", gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:])),
        TEXT,
    ),
    "gzip and more behind it": (answer(b"Content-Encoding: gzip\r\n", ZIPPED + b"\0" * 9), TEXT),
    "deflate": (answer(b"Content-Encoding: deflate\r\n", zlib.compress(PLAIN)), TEXT),
    "deflate without a header": (answer(b"Content-Encoding: deflate\r\n", RAW_DEFLATE), TEXT),
    "identity": (answer(b"Content-Encoding: identity\r\n", PLAIN), TEXT),
    "a charset for an encoding": (answer(b"Content-Encoding: UTF-8\r\n", PLAIN), TEXT),
    "UTF-8 by name": (answer(b'Content-Type: a/b; charset="utf-8"\r\n', PLAIN), TEXT),
    "Latin-1": (
        answer(b"Content-Type: a/b; charset=ISO-8859-1\r\n", WESTERN.encode("latin-1")),
        WESTERN,
    ),
    "Windows": (
        answer(b"Content-Type: a/b; charset=windows-1252\r\n", '"€ü"'.encode("cp1252")),
        '"€ü"',
    ),
    "Latin-1 that is UTF-8": (answer(b"Content-Type: a/b; charset=latin1\r\n", PLAIN), TEXT),
    "UTF-16": (answer(b"Content-Type: a/b; charset=utf-16\r\n", TEXT.encode("utf-16")), TEXT),
    "UTF-16LE": (
        answer(b"Content-Type: a/b; charset=UTF-16LE\r\n", TEXT.encode("utf-16-le")),
        TEXT,
    ),
    "Shift JIS": (
        answer(b"Content-Type: a/b; charset=shift_jis\r\n", '"東京"'.encode("shift_jis")),
        '"東京"',
    ),
    "an unknown charset": (answer(b"Content-Type: a/b; charset=klingon\r\n", PLAIN), TEXT),
    "a codec of no charset": (answer(b"Content-Type: a/b; charset=punycode\r\n", PLAIN), TEXT),
    "a reason beyond ASCII": (answer(b"", PLAIN, b"200 Tr\xe8s bien"), TEXT),
    "BOM": (answer(b"", b"\xef\xbb\xbf" + PLAIN), TEXT),
    "BOM in gzip": (
        answer(b"Content-Encoding: gzip\r\n", gzip.compress(b"\xef\xbb\xbf" + PLAIN)),
        TEXT,
    ),
    "Latin-1 in gzip": (
        answer(
            b"Content-Encoding: gzip\r\nContent-Type: a/b;charset=latin-1\r\n",
            gzip.compress(WESTERN.encode("latin-1")),
        ),
        WESTERN,
    ),
}


@pytest.mark.parametrize("how", ["whole", "as it comes"])
@pytest.mark.parametrize("name", READ)
async def test_a_document_is_read_in_every_coding(
    peer: Peer, client: HttpClient, name: str, how: str
) -> None:
    sent, expected = READ[name]
    pieces: list[bytes] = []
    take = pieces.append if how == "as it comes" else None

    said = await client.get(await peer.serve(sent), {}, deadline=DEADLINE, take=take)

    assert (said.body + b"".join(pieces)).decode(errors="replace") == expected


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        (b"Content-Encoding: br\r\n", b"xx", NetworkKind.ENCODING),
        (b"Content-Encoding: gzip, gzip\r\n", gzip.compress(ZIPPED), NetworkKind.ENCODING),
        (b"Content-Encoding: gzip\r\n", PLAIN, NetworkKind.ENCODING),
        (b"Content-Encoding: gzip\r\n", ZIPPED[:-9], NetworkKind.ENCODING),
        (b"Content-Encoding: gzip\r\n", gzip.compress(b"x" * 5000), NetworkKind.TOO_LARGE),
        (
            b"Content-Encoding: gzip\r\n",
            gzip.compress(b"x" * 10**8, 9)[:900],
            NetworkKind.TOO_LARGE,
        ),
        (b"Content-Type: a/b; charset=utf-16\r\n", b"\xff\xfe\x00\xd8x", NetworkKind.ENCODING),
        (b"Content-Type: a/b; charset=shift_jis\r\n", b'"\xfd\xff"', NetworkKind.ENCODING),
    ],
    ids=["brotli", "twice", "none", "cut", "unpacked", "bomb", "half a letter", "no letter"],
)
@pytest.mark.parametrize("how", ["whole", "as it comes"])
async def test_what_cannot_be_read_says_so(
    peer: Peer,
    client: HttpClient,
    monkeypatch: pytest.MonkeyPatch,
    headers: bytes,
    body: bytes,
    kind: NetworkKind,
    how: str,
) -> None:
    monkeypatch.setattr(http, "STREAM_LIMIT", 1000)
    pieces: list[bytes] = []
    take = pieces.append if how == "as it comes" else None

    for _ in range(2):  # its connection, the only one, is free again
        url = await peer.serve(answer(headers, body))
        with pytest.raises(NetworkError) as caught:
            await client.get(url, {}, deadline=DEADLINE, take=take)

        assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("encoding", "charset", "sent"),
    [
        (None, None, b"\xef\xbb\xbf" + PLAIN),
        ("gzip", None, gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:])),
        ("gzip", None, gzip.compress(b"\xef\xbb\xbf" + PLAIN)),
        ("deflate", None, RAW_DEFLATE),
        (None, "a/b; charset=utf-16", TEXT.encode("utf-16")),
        (None, "a/b; charset=latin-1", PLAIN),
        ("gzip", "a/b; charset=utf-16le", gzip.compress(TEXT.encode("utf-16-le"))),
    ],
    ids=["BOM", "gzip", "BOM in gzip", "deflate", "UTF-16", "Latin-1", "UTF-16 in gzip"],
)
def test_wherever_a_part_ends(encoding: str | None, charset: str | None, sent: bytes) -> None:
    dice = random.Random(4)
    for _ in range(50):
        body = Body(encoding, charset)
        cuts = sorted(dice.sample(range(len(sent)), dice.randrange(1, len(sent))))
        parts = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

        found = [plain for part in parts for plain in body.take(part)]

        assert b"".join([*found, *body.end()]) == PLAIN


def test_a_bomb_is_unpacked_in_small_parts() -> None:
    """Whoever reads them stops at its bound."""
    body = Body("gzip", None)

    parts = list(body.take(BOMB))

    assert max(map(len, parts)) <= 64 * 1024
    assert len(b"".join(parts)) == 10**7


def test_many_members_are_not_unpacked_for_ever() -> None:
    body = Body("gzip", None)

    with pytest.raises(NetworkError, match="encoding"):
        list(body.take(gzip.compress(b"x") * 10_000))
