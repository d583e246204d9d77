"""The config: its tables, their keys, what each allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator

from monitor.config.database import SQLITE, Database, check_url
from monitor.core.batch import NAME_LIMIT
from monitor.core.batch_id import check_batch_id
from monitor.core.errors import ConfigError
from monitor.core.matcher_text import parse_matchers
from monitor.core.matching import Matcher
from monitor.core.routing import Route
from monitor.providers import SourceSettings
from monitor.secret import Secret, rule
from monitor.setting_types import (
    LONGEST_DURATION,
    Duration,
    Interval,
    Labels,
    Patience,
    Settings,
    Span,
    check_name,
    duration_between,
    parse_duration,
)
from monitor.sinks import ReceiverSettings
from monitor.sinks.receiver import check_url as check_http_url

INSTANCE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LISTEN: Final = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>\d+)")
_LARGEST_PORT: Final = 65535


_check_heartbeat_url: Final = partial(
    check_http_url, allow_http=True, example="https://hc.example.com/ping/UUID"
)


class MonitorTable(Settings):
    """Parse `[monitor]`; whoever has the heartbeat's URL can keep it beating."""

    secrets: ClassVar[tuple[str, ...]] = ("heartbeat_url",)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Less important lines are not logged."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto`: on a terminal coloured lines, which also say what is watched, who is told, and what
    becomes of each event; elsewhere JSON. `console` and `json` print only the log, anywhere."""
    retention: Annotated[Span, duration_between("1m", LONGEST_DURATION)] = parse_duration("30d")
    """How long events (with their deliveries and attempts) and snapshots are kept. Deliveries that
    are still pending are kept longer."""

    heartbeat_url: Annotated[Secret, rule(_check_heartbeat_url)] | None = None
    """URL of a dead man's switch. The daemon calls it by GET once a minute while its loops and the
    database are well; the switch alerts you when the calls stop."""


class Monitor(MonitorTable):
    """Join `[monitor]` with the name of this instance, which no file shared by several holds."""

    instance: str = "monitor"


def parse_listen(listen: str) -> tuple[str, int]:
    """Return host and port; no host means every interface, as elsewhere. Raises ValueError."""
    match = _LISTEN.fullmatch(listen)
    if match is None or int(match["port"][:6]) > _LARGEST_PORT or not _is_ipv6(match["ipv6"]):
        raise ValueError('must be "HOST:PORT", such as "127.0.0.1:8470" or "[::1]:8470"')
    return match["ipv6"] or match["host"], int(match["port"])


def _is_ipv6(text: str | None) -> bool:
    try:
        return text is None or bool(IPv6Address(text))
    except ValueError:
        return False


def _check_listen(listen: str) -> str:
    parse_listen(listen)
    return listen


class Server(Settings):
    """Parse `[server]`."""

    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:8470"
    """`HOST:PORT` of `/`, `/-/healthy`, `/-/ready` and `/metrics`. `[::1]:8470` is for IPv6,
    `[::]:8470` or no host for every interface, port 0 for any free port."""

    @property
    def address(self) -> tuple[str, int]:
        """Return the host without brackets, empty for every interface; the port, 0 for any."""
        return parse_listen(self.listen)


class Polling(Settings):
    """Parse `[polling]`."""

    interval: Interval = parse_duration("30s")
    """How often a batch is polled while it is running, or pending for less than an hour; twice as
    often right after a scheduled start and near the end.
    [The whole table](events.md#how-often-a-batch-is-polled)."""
    idle_interval: Interval = parse_duration("5m")
    """How often a batch is polled while it is pending longer or far from its start, paused, or
    outside its hours."""
    settled_interval: Interval = parse_duration("1h")
    """How often a batch is polled after it settled, or while it has been unreachable or unchanged
    for 7 days."""
    forget_after: Duration = parse_duration("24h")
    """How long a batch is still polled after it settled, or after 7 days of being unreachable;
    `monitor add` makes the daemon poll it again."""
    settle_after: Interval = parse_duration("15m")
    """After a final status with calls still open, how long nothing may move until the monitor
    believes the end; 7 days while all open calls wait by plan. A source may have its own value,
    also for the next two keys."""
    stall_after: Patience = parse_duration("15m")
    """How long nothing may move, while calls are open or the batch runs, until the batch is
    stalled; `"off"`: never."""
    overdue_after: Patience = parse_duration("15m")
    """How long after its scheduled start a batch that is still pending becomes overdue; `"off"`:
    never. Bolna rounds starts up to the next 10 minutes."""
    deadline: Annotated[Span, duration_between("100ms", "10m")] = parse_duration("15s")
    """Time limit of one whole request to a provider, from connect to the last byte."""
    concurrency: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 100
    """Most requests in flight at once. One source uses at most half of them while others have due
    batches."""


def _check_batch_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise ValueError(f"must be printable, 1 to {NAME_LIMIT} characters")
    return name


class DeclaredBatch(Settings):
    """Parse one of `[[batches]]`."""

    source: str
    """The source that the batch belongs to: the name of a `[sources.NAME]` table."""
    id: Annotated[str, AfterValidator(check_batch_id)]
    """The provider's id of the batch alone: no URL, no `/`, `\\`, `%` or spaces. A UUID names the
    same batch with or without dashes, in upper or lower case."""
    name: Annotated[str, AfterValidator(_check_batch_name)] | None = None
    """Shown instead of the provider's name; 1 to 256 printable characters."""
    labels: Labels = Field(default_factory=dict)
    """Added to each event of the batch, for matchers and readers; they win over the source's
    labels."""


def _parse_matchers(value: object) -> tuple[Matcher, ...]:
    if not isinstance(value, str):
        raise ValueError("must be a text such as 'type = batch.completed'")  # noqa: TRY004 (pydantic)
    return parse_matchers(value)


class RouteTable(Settings):
    """Parse one of `[[routes]]`."""

    receiver: str
    """The receiver that gets the events: the name of a `[receivers.NAME]` table."""
    matchers: tuple[Annotated[tuple[Matcher, ...], PlainValidator(_parse_matchers)], ...] = ()
    """Conditions on an event, all of which must hold: [events.md](events.md#matchers). Without
    matchers the receiver gets all events."""

    def route(self) -> Route:
        """Return it as core knows it."""
        return Route(receiver=self.receiver, matchers=tuple(chain.from_iterable(self.matchers)))


Name = Annotated[str, AfterValidator(check_name)]


class ConfigFile(Settings):
    """Parse the whole file, without what its parts say of each other."""

    monitor: MonitorTable = MonitorTable()
    database: Database = Database()
    server: Server = Server()
    polling: Polling = Polling()
    sources: dict[Name, SourceSettings] = Field(default_factory=dict)
    batches: tuple[DeclaredBatch, ...] = ()
    receivers: dict[Name, ReceiverSettings] = Field(default_factory=dict)
    routes: tuple[RouteTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A config whose every part is valid and fits the others."""

    path: Path
    monitor: Monitor
    database: Database
    server: Server
    polling: Polling
    sources: Mapping[str, SourceSettings]
    batches: tuple[DeclaredBatch, ...]
    receivers: Mapping[str, ReceiverSettings]
    routes: tuple[Route, ...]


def database_url(config: Config) -> str:
    """Read the URL, a relative SQLite file taken from the config file's folder.

    Raises SecretMissingError when it is not there, ConfigError when it is no URL of ours.
    """
    url = config.database.url.read()
    try:
        check_url(url)
    except ValueError as error:
        raise ConfigError([f"{config.path}: database.url: {error}"]) from None
    if not url.startswith(SQLITE):
        return "postgresql" + url[url.index(":") :]
    file = url.removeprefix(SQLITE)
    if file.startswith("/"):
        return url
    folder = str(config.path.parent).replace("%", "%25").replace("?", "%3F")
    return f"{SQLITE}{folder}/{file}"
