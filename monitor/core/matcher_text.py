"""Matchers as people write them: `name op value`, read as Alertmanager's fallback mode reads them.

That mode knows two grammars: the newer one, in which names and values stand bare or in quotes with
Go's escapes, and the classic one, which is tolerant: any other backslash stands for itself, so that
regular expressions need no doubling. Where both can read a text, the classic one holds. Its rules:
https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from monitor.core.matching import Matcher, Operator

_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What Go's unicode.IsSpace takes for white space; Python's own idea of it is another."""
_TOKEN: Final = re.compile(
    rf"[{_SPACE}]*(?:"
    r"(?P<open>\{)|(?P<close>\})|(?P<comma>,)|(?P<op>=~|=|!=|!~)"
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")'
    rf"|(?P<bare>[^{_SPACE}{{}}!=~,\\\"'`]+)|(?P<end>\Z))",
    re.DOTALL,
)
_WORDS: Final = ("quoted", "bare")
_ASCII_SPACE: Final = "\t\n\f\r "
_CLASSIC: Final = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)")
_OURS: Final = re.compile(r"[\t\n\f\r ]*([a-zA-Z0-9_:-]+)[\t\n\f\r ]*(=~|=|!=|!~)")
"""Classic names hold no `-`; our labels' do, and must not need doubled backslashes either."""
_ESCAPE: Final = re.compile(
    r"""\\(?:(?P<plain>[abfnrtv\\"])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"""
    r"""|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8}))"""
)
_PLAIN: Final = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read one or more matchers, separated by commas, with or without braces.

    Raises ValueError with what is wrong, where, and what to do.
    """
    with suppress(ValueError):
        return tuple(_read_classic(text))
    try:
        return tuple(_read_newer(text))
    except ValueError as error:
        with suppress(ValueError):
            return tuple(_read_classic(text, _OURS))
        raise error from None  # the newer grammar says best what is wrong


# the newer grammar


def _read_newer(text: str) -> Iterator[Matcher]:
    cursor = _Cursor(text)
    braced = cursor.take("open")
    while cursor.sees(*_WORDS):
        yield cursor.read_matcher()
        if not cursor.take("comma"):
            break
        cursor.expect("a matcher after the comma", *_WORDS, "close", "end")
    if braced:
        cursor.expect("a comma, or the closing brace", "close")
        cursor.take("close")
    cursor.expect("a comma, or the end" if cursor.place else "the name of a label", "end")


class _Cursor:
    """Go through the tokens of a text: kind, what is written, and where it begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self.place = 0

    def sees(self, *kinds: str) -> bool:
        return self._tokens[self.place][0] in kinds

    def take(self, kind: str) -> bool:
        """Go over a token of that kind, if it is the next one."""
        taken = self.sees(kind)
        self.place += taken
        return taken

    def expect(self, what: str, *kinds: str) -> tuple[str, str]:
        """Return the next token; raise ValueError unless it is of such a kind."""
        kind, written, at = self._tokens[self.place]
        if kind in kinds:
            return kind, written
        found = "its end" if kind == "end" else f"{written!r} at character {at + 1}"
        raise ValueError(f"{self._text!r} needs {what}, and has {found}")

    def read_matcher(self) -> Matcher:
        name = _unquoted(*self._next("the name of a label", *_WORDS))
        op = Operator(self._next(f'an operator after "{name}": =, !=, =~ or !~', "op")[1])
        value = _unquoted(*self._next(f'a value after "{op}"', *_WORDS))
        return Matcher(name=name, op=op, value=value)

    def _next(self, what: str, *kinds: str) -> tuple[str, str]:
        token = self.expect(what, *kinds)
        self.place += 1
        return token


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while True:
        token = _TOKEN.match(text, at)
        if token is None or token.lastgroup is None:
            raise ValueError(_unreadable(text, at))
        yield token.lastgroup, token[token.lastgroup], token.start(token.lastgroup)
        if token.lastgroup == "end":
            return
        at = token.end()


def _unreadable(text: str, at: int) -> str:
    rest = text[at:].lstrip()
    place = len(text) - len(rest) + 1
    if rest.startswith('"'):
        return f'{text!r} must have a closing " for the one at character {place}'
    return (
        f"{text!r} has {rest[:1]!r} at character {place}, which must stand within double quotes:"
        ' name = "value"'
    )


def _unquoted(kind: str, written: str) -> str:
    """Return a name or value as Go reads it; raises ValueError for what Go knows no escape of."""
    if kind == "bare":
        return written
    inner = written[1:-1]
    if "\n" in inner:
        raise ValueError(f"{written!r} holds a line break: write it as \\n")
    parts, at = bytearray(), 0
    for escape in _ESCAPE.finditer(inner):
        plain = inner[at : escape.start()]
        if "\\" in plain:
            break
        parts += plain.encode() + _escaped(escape)
        at = escape.end()
    if "\\" in inner[at:]:
        raise ValueError(f"{written!r} holds a backslash that escapes nothing: write it as \\\\")
    return (bytes(parts) + inner[at:].encode()).decode()


def _escaped(escape: re.Match[str]) -> bytes:
    if escape["plain"]:
        return _PLAIN[escape["plain"]].encode()
    if escape["hex"]:
        return bytes([int(escape["hex"], 16)])
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)])
    return chr(int(escape["u"] or escape["U"], 16)).encode()  # ValueError beyond Unicode


# the classic grammar


def _read_classic(text: str, head: re.Pattern[str] = _CLASSIC) -> Iterator[Matcher]:
    for part in _parts(text.removeprefix("{").removesuffix("}")):
        begin = head.match(part)
        if begin is None:
            raise ValueError(f"{part!r} is no matcher")
        value = _unescaped(part[begin.end() :].strip(_ASCII_SPACE))
        yield Matcher(name=begin[1], op=Operator(begin[2]), value=value)


def _parts(text: str) -> Iterator[str]:
    """Split at the commas outside of quotes; one at the end is allowed."""
    quoted = escaped = False
    begin = 0
    for at, character in enumerate(text):
        if character == "," and not quoted:
            yield text[begin:at]
            begin = at + 1
        elif character == '"':
            quoted, escaped = (quoted, False) if escaped else (not quoted, False)
        elif character == "\\":
            escaped = not escaped
        else:
            escaped = False
    if last := text[begin:].strip(_SPACE):
        yield last


def _unescaped(value: str) -> str:
    r"""Read `\"`, `\n` and `\\`; any other backslash, and one at the end, stands for itself."""
    quoted = value.startswith('"')
    rest = value[quoted:]
    read, at = [], 0
    while at < len(rest):
        character, following = rest[at], rest[at + 1 : at + 2]
        if character == "\\" and following in {"n", '"', "\\"}:
            read.append("\n" if following == "n" else following)
            at += 1
        elif character == '"':
            if not quoted or at < len(rest) - 1:
                raise ValueError(f"{value!r} holds a quote that no backslash escapes")
            quoted = False
        else:
            read.append(character)
        at += 1
    if quoted:
        raise ValueError(f"{value!r} has no closing quote")
    return "".join(read)
