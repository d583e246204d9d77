import io

import pytest

from monitor.screen.glyphs import fall_back


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "locale"),
    [
        (io.TextIOWrapper(io.BytesIO(), encoding="ascii"), ""),
        (Terminal(io.BytesIO(), encoding="utf-8"), "C"),
    ],
    ids=["ascii", "a terminal in the C locale"],
)
def test_bars_are_ascii_where_nothing_else_is_known(
    stream: io.TextIOWrapper, locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)

    fall_back(stream)
    stream.write("██░░ ─┬▃ Köln 東京 \udcff")

    stream.seek(0)
    assert stream.buffer.read() == b"##-- -+. K?ln ?? ?"


def test_a_terminal_that_knows_utf_8_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    stream = Terminal(io.BytesIO(), encoding="utf-8")

    fall_back(stream)
    stream.write("█ Köln")

    stream.seek(0)
    assert stream.read() == "█ Köln"
