import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from monitor.config.load import load
from monitor.config.schema import ConfigFile, DeclaredBatch, Polling, RouteTable
from monitor.providers import SourceSettings
from monitor.secret import twins_of
from monitor.setting_types import Settings
from monitor.sinks import ReceiverSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()

HEADER = re.compile(r"(?:# )?\[+([a-z.-]+)\]+")
KEY = re.compile(r"(?:# )?([a-z_]+) = ")
NO_DEFAULT = {
    *("labels", "headers", "ca_file", "heartbeat_url"),
    *("bearer", "query", "valid", "rest_calls", "discover", "hours"),
}
"""Keys whose commented value is an example, not the default."""
INSTEAD = {"bearer": ("username", "password")}
"""Keys that stand instead of others."""


def header_of(number: int) -> str:
    return next(m[1] for line in reversed(LINES[: number + 1]) if (m := HEADER.match(line)))


COMMENTED = [
    number
    for number, line in enumerate(LINES)
    if re.match(r"# [a-z_]+ = ", line) and header_of(number) != "batches"
]


def test_the_example_loads_and_needs_nothing_from_outside() -> None:
    config = load(EXAMPLE)

    assert list(config.sources) == ["bolna-prod", "vogent", "acme"]
    assert list(config.receivers) == ["ops", "crm"]
    assert config.batches == ()
    assert config.receivers["crm"].held_secrets()[0].read().startswith("whsec_")
    assert [route.receiver for route in config.routes] == ["ops", "ops", "crm"]


def test_the_example_shows_every_key() -> None:
    shown: dict[str, set[str]] = {}
    for number, line in enumerate(LINES):
        if match := KEY.match(line):
            shown.setdefault(header_of(number), set()).add(match[1])

    for header, table in all_tables():
        assert set(keys_of(table)) <= shown[header], header


def test_no_key_stands_twice_in_one_table() -> None:
    tables = [number for number, line in enumerate(LINES) if HEADER.match(line)]
    shown = Counter(
        (max(table for table in tables if table <= number), match[1])
        for number, line in enumerate(LINES)
        if (match := KEY.match(line))
    )

    assert [key for (_, key), times in shown.items() if times > 1] == []


@pytest.mark.parametrize("number", COMMENTED, ids=lambda n: f"{header_of(n)}.{LINES[n][2:30]}")
def test_every_commented_key_is_valid_and_its_value_the_default(
    number: int, tmp_path: Path
) -> None:
    lines = list(LINES)
    lines[number] = lines[number].removeprefix("# ")
    key = lines[number].partition(" ")[0]
    secret = re.sub("_(env|file)$", "", key)
    if secret != key and key not in NO_DEFAULT:
        lines = [
            line
            for other, line in enumerate(lines)
            if not line.startswith(f"{secret} = ") or header_of(other) != header_of(number)
        ]
    others = tuple(f"{other} = " for other in INSTEAD.get(secret, ()))
    lines = [line for line in lines if not others or not line.startswith(others)]
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines), encoding="utf-8")

    config, plain = load(path), load(EXAMPLE)

    of_all = header_of(number).startswith("sources.") and key in Polling.model_fields
    if secret == key and key not in NO_DEFAULT and not of_all:
        for part in ("monitor", "database", "server", "polling", "sources", "receivers"):
            assert getattr(config, part) == getattr(plain, part)


def test_the_commented_batch_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "\n".join(
            line.removeprefix("# ") if header_of_or_none(number) == "batches" else line
            for number, line in enumerate(LINES)
            if not line.startswith("# ----")
        ),
        encoding="utf-8",
    )

    assert load(path).batches[0].name == "January reminders"


def header_of_or_none(number: int) -> str | None:
    return header_of(number) if any(map(HEADER.match, LINES[: number + 1])) else None


def all_tables() -> Iterator[tuple[str, type[Settings]]]:
    for name in ("monitor", "database", "server", "polling"):
        yield name, type(ConfigFile.model_fields[name].default)
    yield "batches", DeclaredBatch
    yield "routes", RouteTable
    sources, receivers = tables_of(SourceSettings), tables_of(ReceiverSettings)
    assert set(sources) == {"bolna", "vogent", "generic"}
    assert set(receivers) == {"slack", "webhook"}
    yield "sources.bolna-prod", sources["bolna"]
    yield "sources.acme", sources["generic"]
    yield "receivers.ops", receivers["slack"]
    yield "receivers.crm", receivers["webhook"]


def tables_of(union: Any) -> dict[str, type[Settings]]:
    members, discriminator = get_args(union)
    return {
        get_args(member.model_fields[discriminator.discriminator].annotation)[0]: member
        for member in get_args(members)
    }


def keys_of(table: type[Settings]) -> list[str]:
    return [
        key
        for name in table.model_fields
        for key in (twins_of(name) if name in table.secrets else (name,))
    ]
