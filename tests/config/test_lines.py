import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.lines import KeyPath, line_at, lines_of

EXAMPLE = (
    r'''# a comment with key = 1 and [table]
title = "x = 1 # no comment" # x
"quoted key" = 1
'literal.key'.inner . "esc\u0061ped\"" = 2

[sources.bolna-prod] # [not.this]
api_key = "k"
labels = { env = "prod", "team.x" = 'a', deep = { er = 1 } }

[sources."with.dot"]
text = """
api_key = "fake"
[fake]
"""""
when = 1979-05-27 07:32:00
other = 1

[[batches]]
id = "a"
list = [
  "one, ] # no", # comment ] with end
  '''
    + """'''
[[batches]]
''',"""
    + r"""
  [1, 2], { id = "x" },
]
after = 1
[batches.labels]
team = "t"

[[batches]] # second
id = "b"
[[batches.parts]]
n = 1
[[batches.parts]]
n = 2

[a.b.c]
[a]
"""
)

PLACES: list[tuple[KeyPath, int]] = [
    (("title",), 2),
    (("quoted key",), 3),
    (("literal.key",), 4),
    (("literal.key", "inner", 'escaped"'), 4),
    (("sources",), 6),
    (("sources", "bolna-prod"), 6),
    (("sources", "bolna-prod", "api_key"), 7),
    (("sources", "bolna-prod", "labels", "team.x"), 8),
    (("sources", "bolna-prod", "labels", "deep", "er"), 8),
    (("sources", "with.dot"), 10),
    (("sources", "with.dot", "text"), 11),
    (("sources", "with.dot", "when"), 15),
    (("sources", "with.dot", "other"), 16),
    (("batches",), 18),
    (("batches", 0), 18),
    (("batches", 0, "id"), 19),
    (("batches", 0, "list"), 20),
    (("batches", 0, "list", 0), 21),
    (("batches", 0, "list", 1), 22),
    (("batches", 0, "list", 2, 1), 25),
    (("batches", 0, "list", 3, "id"), 25),
    (("batches", 0, "after"), 27),
    (("batches", 0, "labels"), 28),
    (("batches", 0, "labels", "team"), 29),
    (("batches", 1), 31),
    (("batches", 1, "id"), 32),
    (("batches", 1, "parts", 0, "n"), 34),
    (("batches", 1, "parts", 1), 35),
    (("batches", 1, "parts", 1, "n"), 36),
    (("a", "b", "c"), 38),
    (("a",), 39),
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_each_key_has_its_line(path: KeyPath, line: int) -> None:
    assert lines_of(EXAMPLE)[path] == line


def test_windows_line_ends_count_once() -> None:
    assert lines_of("a = 1\r\n\r\n[b]\r\nc = 2\r\n")["b", "c"] == 4


def test_a_missing_key_stands_where_its_table_does() -> None:
    lines = lines_of("\n[sources.x]\na = 1\n")

    assert line_at(lines, ("sources", "x", "missing", 3)) == 2
    assert line_at(lines, ("nothing",)) == 1
    assert line_at({}, ()) == 1


def test_the_scan_knows_exactly_the_paths_of_tomllib() -> None:
    assert set(lines_of(EXAMPLE)) == set(_paths(tomllib.loads(EXAMPLE)))


@given(st.text(alphabet="ab=.[]{}\"'\\\n#, 1"))
def test_a_text_that_is_not_toml_ends_the_scan(text: str) -> None:
    assert all(line >= 1 for line in lines_of(text).values())


SCALARS = [
    "1",
    "-0.5e3",
    "true",
    "1979-05-27 07:32:00",
    "1979-05-27T07:32:00Z",
    '"a # b, ] } [c] = \\" \\\\"',
    "'a # b, ] } [c] = \"'",
    '""',
    "''",
    '""""""',
    '"""\nx = 1\n[y]\n[[z]] # \\""" ""\n"""',
    '"""ends in quotes"""""',
    '"""ends in a backslash\\\\"""',
    "'''\nx = 1\n[y] '' \\'''",
    "'''ends in a quote''''",
]
NOISE = ["", " ", "\n", " # ] } , x = 1\n", "\n\n\t"]
NAMES = ["k{}", '"k{} = 1"', "'k{}]'", '"k{}#\\u005b"', '" [k{}] "', "{}", '"k{}\\\\"', "'k{}.x'"]


class Writer:
    """Write a random document and note, while writing, where each key stands."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._keys = 0
        self._written: dict[str, str] = {}
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        self._pairs(())
        for _ in range(self._draw(st.integers(0, 3))):
            path = self._header((), ())
            if self._draw(st.booleans()):
                self._header(path, path)

    def _header(self, prefix: KeyPath, path: KeyPath) -> KeyPath:
        """Write a table, or several of an array, below the last table of `prefix`."""
        written = [self._written[part] for part in prefix if isinstance(part, str)]
        name, key = self._key()
        double = self._draw(st.booleans())
        here = (*path, key)
        for position in range(self._draw(st.integers(1, 3)) if double else 1):
            self._blank()
            line = self._line()
            here = (*path, key)
            self.lines.setdefault(here, line)
            dotted = self._dot().join([*written, name])
            self.text += f"[[{dotted}]]" if double else f"[{dotted}]"
            if double:
                here = (*here, position)
                self.lines[here] = line
            self.text += self._draw(st.sampled_from(["\n", " # [no]\n"]))
            self._pairs(here)
        return here

    def _pairs(self, table: KeyPath) -> None:
        for _ in range(self._draw(st.integers(0, 3))):
            self._blank()
            self._pair(table, depth=0)
            self.text += self._draw(st.sampled_from(["\n", " # x = 1\n"]))

    def _pair(self, table: KeyPath, *, depth: int) -> None:
        path, names, line = table, [], self._line()
        for _ in range(self._draw(st.integers(1, 2))):
            name, key = self._key()
            path = (*path, key)
            names.append(name)
            self.lines[path] = line
        self.text += self._dot().join(names) + self._draw(st.sampled_from(["=", " = "]))
        self._value(path, depth=depth)

    def _value(self, path: KeyPath, *, depth: int) -> None:
        match self._draw(st.sampled_from("saat" if depth < 3 else "s")):
            case "a":
                self._array(path, depth=depth)
            case "t":
                self.text += "{ "
                for position in range(self._draw(st.integers(0, 2))):
                    self.text += ", " if position else ""
                    self._pair(path, depth=depth + 1)
                self.text += " }"
            case _:
                self.text += self._draw(st.sampled_from(SCALARS))

    def _array(self, path: KeyPath, *, depth: int) -> None:
        self.text += "["
        for position in range(self._draw(st.integers(0, 3))):
            self.text += "," if position else ""
            self.text += self._draw(st.sampled_from(NOISE))
            self.lines[*path, position] = self._line()
            self._value((*path, position), depth=depth + 1)
            self.text += self._draw(st.sampled_from(NOISE))
        self.text += self._draw(st.sampled_from(NOISE)) + "]"

    def _key(self) -> tuple[str, str]:
        self._keys += 1
        name = self._draw(st.sampled_from(NAMES)).format(self._keys)
        key = next(iter(tomllib.loads(f"{name} = 1")))
        self._written[key] = name
        return name, key

    def _blank(self) -> None:
        self.text += self._draw(st.sampled_from(["", "\n", "# [x] y = 1\n", "  "]))

    def _dot(self) -> str:
        return self._draw(st.sampled_from([".", " . "]))

    def _line(self) -> int:
        return self.text.count("\n") + 1


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    writer.document()
    return writer


@given(documents())
def test_generated_documents_have_every_key_on_its_line(written: Writer) -> None:
    assert lines_of(written.text) == written.lines
    assert set(written.lines) == set(_paths(tomllib.loads(written.text)))


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    inner: Any = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = dict(enumerate(value))
    for key, child in inner.items():
        yield (*path, key)
        yield from _paths(child, (*path, key))
