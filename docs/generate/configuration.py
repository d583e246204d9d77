"""The configuration reference: every table and key of the schema, in a user's words."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from docs.generate.docstrings import docstrings
from docs.generate.examples import write_example
from docs.generate.regions import table
from monitor.config.environment import OVERRIDES
from monitor.config.schema import ConfigFile, DeclaredBatch, RouteTable
from monitor.core.matching import Matcher
from monitor.providers import SourceSettings
from monitor.providers.discovery import BolnaDiscoverySettings, DiscoverySettings
from monitor.providers.expression import Expression
from monitor.providers.generic_list import GenericDiscoverySettings, Next
from monitor.providers.hours import DaySettings, HoursSettings
from monitor.secret import Secret, twins_of
from monitor.setting_types import (
    INTERVAL_BOUNDS,
    LONGEST_DURATION,
    MIB,
    OFF,
    Bounds,
    Settings,
    SizeBounds,
    parse_rate,
    write_duration,
)
from monitor.sinks import ReceiverSettings

_DAY: Final = timedelta(days=1)
"""Written as the schema, the example file and the pages write it."""
_PURPOSES: Final = {
    "[monitor]": "The daemon itself.",
    "[database]": "Where the daemon keeps everything.",
    "[server]": "Where the daemon answers operators over HTTP.",
    "[polling]": "How often the daemon polls, and when it believes what it sees.",
    "[sources.NAME] with bolna": "An account at Bolna.",
    "[sources.NAME] with vogent": "An account at Vogent.",
    "[sources.NAME] with generic": "An account at any other JSON API, which this table describes:"
    " see [Expressions](#expressions) and [ready recipes](../deploy/recipes/README.md).",
    "[sources.NAME.discover] with bolna": "Which batches of a Bolna account are found and watched."
    " Bolna has no list of all batches, only one for each agent. `discover ="
    ' "all"` is short for `agents = "all"`.',
    "[sources.NAME.discover] with vogent": "Which jobs of a Vogent workspace are found and"
    " watched. `discover = true` stands for an empty table: all jobs of the last 7 days.",
    "[sources.NAME.discover] with generic": "Where an API lists its batches, and how to read that"
    " list, so that they are found and watched. Most [recipes](../deploy/recipes/README.md) have"
    " this table.",
    "[sources.NAME.hours]": "When a source makes its calls, in the format of Vogent's `schedule`."
    " A job that shows its own schedule keeps it. [events.md](events.md#batchstalled) says what the"
    " hours are for.",
    "[[batches]]": "A batch that the file declares; you can add others with `monitor add`.",
    "[receivers.NAME] with slack": "A channel of Slack.",
    "[receivers.NAME] with webhook": "Any URL that takes signed POST requests.",
    "[[routes]]": "Which events go to which receiver. Every route that matches applies, but each"
    " receiver gets an event once.",
}


def write_tables() -> str:
    """Write an index, and a section for each table of the file."""
    index = table(("table", "keys"), [_entry(title, settings) for title, settings in tables()])
    sections = (_section(title, settings) for title, settings in tables())
    return "\n".join((index, *sections))


def write_environment() -> str:
    """Write the variables that win over the file."""
    rows = [
        ("`MONITOR_CONFIG`", "the path of the file, unless `--config` gives it"),
        *((f"`{name}`", f"`[{at[0]}]` `{at[1]}`") for name, at in OVERRIDES.items()),
        ("`MONITOR_INSTANCE`", "this daemon's name among several; by default the host's name"),
    ]
    return table(("variable", "replaces"), rows)


def tables() -> Iterator[tuple[str, type[Settings]]]:
    """Yield every table in the order of the file, under the title of its section."""
    for name in ("monitor", "database", "server", "polling"):
        yield f"[{name}]", type(ConfigFile.model_fields[name].default)
    yield from _variants("[sources.NAME] with {}", SourceSettings)
    yield "[sources.NAME.discover] with bolna", BolnaDiscoverySettings
    yield "[sources.NAME.discover] with vogent", DiscoverySettings
    yield "[sources.NAME.discover] with generic", GenericDiscoverySettings
    yield "[sources.NAME.hours]", HoursSettings
    yield "[[batches]]", DeclaredBatch
    yield from _variants("[receivers.NAME] with {}", ReceiverSettings)
    yield "[[routes]]", RouteTable


def _variants(title: str, union: Any) -> Iterator[tuple[str, type[Settings]]]:
    members, discriminator = get_args(union)
    for member in get_args(members):
        (tag,) = get_args(member.model_fields[discriminator.discriminator].annotation)
        yield title.format(tag), member


def sentence_on(settings: type[Settings], key: str) -> str:
    """Return the docstring under a key, the nearest class's; raise LookupError if there is none."""
    for owner in settings.__mro__:
        if issubclass(owner, Settings) and (found := docstrings(owner).get(key)):
            return found
    raise LookupError(f"{settings.__name__}.{key} needs a docstring that says what it does")


def _entry(title: str, settings: type[Settings]) -> tuple[str, str]:
    """Return a table's line in the index: its section, and its keys."""
    heading = _heading(title)
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    keys = ", ".join(f"`{key}`" for key in _ordered(settings))
    return f"[{heading}](#{anchor})", keys


def _heading(title: str) -> str:
    heading, _, kind = title.partition(" with ")
    return f"`{heading}` with `{kind}`" if kind else f"`{heading}`"


def _section(title: str, settings: type[Settings]) -> str:
    heading = _heading(title)
    rows = [_row(title, settings, key) for key in _ordered(settings)]
    return (
        f"### {heading}\n\n{_PURPOSES[title]}\n\n"
        f"{table(('key', 'type', 'default', 'what it does'), rows)}"
        f"\n```toml\n{write_example(title)}```\n"
    )


def _ordered(settings: type[Settings]) -> list[str]:
    """Put first what must be said, then what is the table's own, last what opens gates."""
    fields = settings.model_fields

    def weight(key: str) -> int:
        if key in {"provider", "kind"}:
            return 0
        if fields[key].is_required():
            return 1
        if key.startswith("allow_"):
            return 4
        return 2 if key in settings.__annotations__ else 3

    return sorted(fields, key=weight)


def _row(title: str, settings: type[Settings], key: str) -> tuple[str, ...]:
    field = settings.model_fields[key]
    keys = twins_of(key) if key in settings.secrets else (key,)
    variables = [v for v, at in OVERRIDES.items() if (f"[{at[0]}]", at[1]) == (title, key)]
    override = "".join(f" `{variable}` wins over it." for variable in variables)
    names = "<br>".join(f"`{name}`" for name in keys)
    return names, _type(field), _default(field), sentence_on(settings, key) + override


def _type(field: FieldInfo) -> str:
    plain, metadata = _unwrapped(field)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin is Literal:
        return ", ".join(f"`{_toml(word)}`" for word in arguments)
    if origin is tuple:
        names = {
            tuple[Matcher, ...]: "matchers",
            str: "texts",
            timedelta: "durations",
            DaySettings: "tables",
        }
        what = next(names[name] for name in _names(arguments) if name in names)
        return f"array of {_amount(metadata)}{what}"
    if origin is dict:
        return f"table of {'secrets' if Secret in arguments else 'texts'}"
    if plain is timedelta or timedelta in arguments:
        off = f', or `"{OFF}"`' if arguments else ""
        return f"duration{_bounds([INTERVAL_BOUNDS, *metadata])}{off}"
    if any(getattr(check, "func", None) is parse_rate for check in metadata):
        return "rate"
    return _word(plain, metadata)


def _word(plain: Any, metadata: list[Any]) -> str:
    words = {
        bool: "`true`, `false`",
        Secret: "secret",
        Path: "file",
        str: "text",
        Expression: "expression",
        Next: 'table of one parameter: an expression, or `"+N"`',
        GenericDiscoverySettings: "`false` or a [table](#sourcesnamediscover-with-generic)",
        DiscoverySettings: "`true`, `false` or a [table](#sourcesnamediscover-with-vogent)",
        HoursSettings: "[table](#sourcesnamehours)",
        BolnaDiscoverySettings: '`"all"`, `false` or a [table](#sourcesnamediscover-with-bolna)',
    }
    if plain in words:
        return words[plain]
    if (size := _size(metadata)) is not None:
        return f"size, {size.least} to {size.most}"
    return f"whole number{_range(metadata)}"


def _size(metadata: Iterable[Any]) -> SizeBounds | None:
    checks = (getattr(check, "func", None) for check in metadata)
    return next((check for check in checks if isinstance(check, SizeBounds)), None)


def _unwrapped(field: FieldInfo) -> tuple[Any, list[Any]]:
    """Return the type without `| None`, and the checks on it."""
    inner = [part for part in get_args(field.annotation) if part is not NoneType]
    if NoneType not in get_args(field.annotation):
        return field.annotation, list(field.metadata)
    arguments = get_args(inner[0])
    return (arguments[0], list(arguments[1:])) if arguments else (inner[0], [])


def _names(arguments: Iterable[Any]) -> set[Any]:
    return {(get_args(argument) or (argument,))[0] for argument in arguments}


def _bounds(metadata: Iterable[Any]) -> str:
    checks = [getattr(check, "func", check) for check in metadata]
    bounds = [check for check in checks if isinstance(check, Bounds)]
    shortest, longest = bounds[-1].shortest, bounds[-1].longest
    if longest == LONGEST_DURATION:
        return f", at least {shortest}"
    return f", {shortest} to {longest}"


def _range(metadata: Iterable[Any]) -> str:
    low = next(check.ge for check in metadata if isinstance(check, Ge))
    high = next(check.le for check in metadata if isinstance(check, Le))
    return f", {low} to {high:,}"


def _amount(metadata: Iterable[Any]) -> str:
    low = [check.min_length for check in metadata if isinstance(check, MinLen)]
    high = [check.max_length for check in metadata if isinstance(check, MaxLen)]
    return f"{low[0]} to {high[0]} " if low and high else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if _size(field.metadata) is not None:
        value = _write_size(value)
    return f"`{_toml(value)}`" if value not in (None, {}, ()) else ""


def _write_size(size: int) -> str:
    return f"{size // 1024}KiB" if size % MIB else f"{size // MIB}MiB"


def _toml(value: Any) -> str:
    """Write a default as the file would."""
    match value:
        case Secret():
            return _toml(value.value)
        case timedelta():
            return f'"{"24h" if value == _DAY else write_duration(value)}"'
        case tuple():
            return f"[{', '.join(_toml(part) for part in value)}]"
        case float():
            return f'"{round(value * 60)}/min"'
        case _:
            return json.dumps(value)
