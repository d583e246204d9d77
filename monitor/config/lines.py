"""Line numbers: where in a TOML text each key stands."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress

KeyPath = tuple[str | int, ...]
"""Keys and array positions from the top, such as `("batches", 1, "id")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_SCALAR = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?!")|\'\'\'.*?\'\'\'(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
    r"|[^\"',\]}#\n][^,\]}#\n]*",
    re.DOTALL,
)


def lines_of(text: str) -> dict[KeyPath, int]:
    """Map every key path of a valid TOML text to its line; tomllib tells none.

    A table stands where its header is, or where a key or header first names it.
    """
    scan = _Scan(text)
    with suppress(_LostError, tomllib.TOMLDecodeError, RecursionError):
        scan.document()
    return scan.lines


def line_at(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of a path, or of the nearest table that holds it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _LostError(Exception):
    """The text is not valid TOML after all: what was found so far must do."""


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._last: dict[KeyPath, int] = {}
        """Position of the last table in each array of tables."""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._match(_BLANK)
        while self._at < len(self._text):
            if self._takes("[["):
                table = self._header("]]")
            elif self._takes("["):
                table = self._header("]")
            else:
                self._pair(table)
            self._match(_BLANK)

    def _header(self, end: str) -> KeyPath:
        """Read the rest of a table's header, or of one more table's in an array."""
        line = self._line()
        *above, name = self._keys(end)
        path = (*self._resolve(above), name)
        if end == "]]":
            self.lines.setdefault(path, line)
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
        self.lines[path] = line
        return path

    def _resolve(self, keys: list[str]) -> KeyPath:
        """Walk to a header's parent: into an array of tables means into its last one."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            self.lines.setdefault(path, self._line())
            if path in self._last:
                path = (*path, self._last[path])
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys("="):
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._match(_SPACE)
        self._value(path)

    def _keys(self, end: str) -> list[str]:
        """Read a dotted key and what closes it."""
        keys = []
        while True:
            self._match(_SPACE)
            keys.append(_decode(self._match(_KEY)))
            self._match(_SPACE)
            if self._takes(end):
                return keys
            if not self._takes("."):
                raise _LostError

    def _value(self, path: KeyPath) -> None:
        if self._takes("["):
            position = 0
            while not self._closes("]"):
                self.lines[*path, position] = self._line()
                self._value((*path, position))
                position += 1
        elif self._takes("{"):
            while not self._closes("}"):
                self._pair(path)
        else:
            self._match(_SCALAR)

    def _closes(self, end: str) -> bool:
        """Step to the next item of an array or inline table, or over its end."""
        self._match(_BLANK)
        if self._takes(","):
            self._match(_BLANK)
        return self._takes(end)

    def _takes(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        self._at += len(token) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_left(self._ends, self._at) + 1


def _decode(key: str) -> str:
    if not key.startswith(('"', "'")):
        return key
    return str(tomllib.loads(f"key = {key}")["key"])
