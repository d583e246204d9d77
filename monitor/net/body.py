"""A body made plain as it comes: unpacked, in UTF-8, and without a mark of its byte order.

We ask for none of these codings, but some servers and proxies answer in them all the same, and
every browser reads what they send.
"""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from monitor.core.errors import NetworkError, NetworkKind

MARK: Final = codecs.BOM_UTF8

_PART: Final = 64 * 1024
"""The longest that a part is unpacked to at once, in bytes."""
_MEMBERS_LIMIT: Final = 64
"""Of a gzip file; hardly any has more than one."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MARK: Final = 0x1F
_PACKED: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_PLAIN: Final = frozenset({"", "identity", "none"})
_CHARSET: Final = re.compile(
    r"utf-?8|(?:us-)?ascii|utf-?(?:16|32)(?:le|be)?|iso-8859-[0-9]{1,2}|latin-?[0-9]"
    r"|(?:windows-|cp)125[0-9]|koi8-[ru]|gbk|gb2312|gb18030|big5|euc-(?:jp|kr)|shift[_-]jis"
)
"""Python knows other codecs: some are none of letters, some take a stranger's time."""
_UTF_8: Final = frozenset({"utf-8", "ascii"})


def is_plain(encoding: str | None, content_type: str | None) -> bool:
    """Return whether nothing in the head says that a body is packed, or in another charset."""
    return not encoding and (content_type is None or "charset" not in content_type.lower())


class Body:
    """Take a body part by part, and give its plain parts.

    Raises NetworkError for a coding that we cannot read, at once or as the body breaks it.
    """

    def __init__(self, encoding: str | None, content_type: str | None) -> None:
        tokens = [token.strip().lower() for token in (encoding or "").split(",")]
        self._unpacker: _Unpacker | None = None
        charset = _charset_of(content_type)
        for token in tokens:
            if token in _PACKED and self._unpacker is None:
                self._unpacker = _Unpacker(_PACKED[token])
            elif named := _codec(token):  # not its place, but what is meant is plain
                charset = charset or named
            elif token not in _PLAIN:
                raise NetworkError(NetworkKind.ENCODING)
        self._recoder = _Recoder(charset) if charset and charset not in _UTF_8 else None
        self._opening: bytes | None = b""
        """What has come while it may still become the mark; none once that is settled."""

    def take(self, part: bytes) -> Iterator[bytes]:
        """Yield what a part of the body holds, at most 64 KiB of its bytes at once."""
        return self._give((part,) if self._unpacker is None else self._unpacker.take(part))

    def end(self) -> Iterator[bytes]:
        """Yield what is left at the body's end."""
        if self._unpacker is not None:
            yield from self._give(self._unpacker.end())
        if self._recoder is not None:
            yield self._without_mark(self._recoder.decode(b"", final=True))
        if self._opening:
            yield self._opening

    def _give(self, unpacked: Iterable[bytes]) -> Iterator[bytes]:
        for plain in unpacked:
            if text := self._without_mark(self._recoder.decode(plain) if self._recoder else plain):
                yield text

    def _without_mark(self, text: bytes) -> bytes:
        if self._opening is None:
            return text
        text = self._opening + text
        if len(text) < len(MARK) and MARK.startswith(text):
            self._opening = text
            return b""
        self._opening = None
        return text.removeprefix(MARK)


class _Unpacker:
    """Unpack gzip or deflate, which some servers send with a header and some without."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._begun = False
        self._members = 1
        self._over = False

    def take(self, part: bytes) -> Iterator[bytes]:
        if not self._begun and part and self._window == zlib.MAX_WBITS and part[0] & 15 != 8:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._begun = self._begun or bool(part)
        while part and not self._over:
            if plain := self._unpack(part):
                yield plain
            part = self._stream.unconsumed_tail
            if self._stream.eof:
                part = self._stream.unused_data
                self._begin_member(part)

    def end(self) -> Iterator[bytes]:
        while plain := self._unpack(b""):
            yield plain
        if self._begun and not self._stream.eof:
            raise NetworkError(NetworkKind.ENCODING)

    def _begin_member(self, part: bytes) -> None:
        """Go on by what follows the end of a gzip member, if it is another one."""
        if not part:
            return
        if self._window != _GZIP or part[0] != _GZIP_MARK:
            self._over = True
            return
        self._members += 1
        if self._members > _MEMBERS_LIMIT:
            raise NetworkError(NetworkKind.ENCODING)
        self._stream = zlib.decompressobj(_GZIP)

    def _unpack(self, part: bytes) -> bytes:
        try:
            return self._stream.decompress(part, _PART)
        except zlib.error as error:
            raise NetworkError(NetworkKind.ENCODING) from error


class _Recoder:
    """Turn a text into UTF-8 from the charset that its head names.

    JSON is UTF-8 (RFC 8259, 8.1), and a charset of one byte a letter is often named by mistake. So
    UTF-8 is believed first, until a byte is none; but not where two bytes and more make a letter.
    """

    def __init__(self, charset: str) -> None:
        wide = charset.startswith(("utf-16", "utf-32"))
        self._named = codecs.getincrementaldecoder(charset)()
        self._decoder = self._named if wide else codecs.getincrementaldecoder("utf-8")()

    def decode(self, part: bytes, *, final: bool = False) -> bytes:
        try:
            try:
                return self._decoder.decode(part, final).encode()
            except UnicodeDecodeError:
                if self._decoder is self._named:
                    raise
                kept, _ = self._decoder.getstate()
                self._decoder = self._named
                return self._decoder.decode(kept + part, final).encode()
        except UnicodeError as error:
            raise NetworkError(NetworkKind.ENCODING) from error


def _charset_of(content_type: str | None) -> str | None:
    """Return the codec of the charset that a content type names; none for none that we know."""
    for parameter in (content_type or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return _codec(value.strip().strip("\"'").lower())
    return None


def _codec(name: str) -> str | None:
    try:
        return codecs.lookup(name).name if _CHARSET.fullmatch(name) else None
    except LookupError:
        return None
