"""A remedy: what is wrong with a poll or an account, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from rich.text import Text

from monitor.cli.screen import safe, write_short_time
from monitor.core.batch import Failures
from monitor.core.errors import FailureKind
from monitor.core.source import Health
from monitor.storage.sources import SourceRow

REMEDIES: Final[Mapping[FailureKind, str]] = {
    FailureKind.ADDRESS: (
        "base_url leads to an address that is not public; allow_private = true opens private ones"
    ),
    FailureKind.DNS: "the host of base_url has no address: check its spelling and the network",
    FailureKind.CONNECT: "nobody listens there: check base_url, firewall and proxy",
    FailureKind.TLS: "its certificate is not trusted: check base_url, or name its CA by ca_file",
    FailureKind.DISCONNECTED: "the connection broke off: try again",
    FailureKind.TIMEOUT: "no whole answer within [polling] deadline: try again, or raise it",
    FailureKind.PROTOCOL: "what answers there does not speak HTTP: check base_url",
    FailureKind.TOO_LARGE: "the answer is no batch: check base_url",
    FailureKind.ENCODING: "the answer is compressed unasked: check base_url for a proxy in between",
    FailureKind.UNAUTHORIZED: "the key is refused: check api_key and its account",
    FailureKind.FORBIDDEN: "the key is refused, or may not read this batch: check api_key",
    FailureKind.NOT_FOUND: "wrong id, key or account?",
    FailureKind.REFUSED: "the provider does not take this for an id of its own",
    FailureKind.RATE_LIMITED: "too many requests: wait, and lower rate_limit if it goes on",
    FailureKind.SERVER_ERROR: "the provider itself fails: try again later",
    FailureKind.REDIRECT: "base_url leads elsewhere: give the API's own address",
    FailureKind.UNEXPECTED_STATUS: "no answer of this API: check base_url",
    FailureKind.INVALID_BODY: (
        "the answer is no document of this batch, or one that makes no sense: check base_url and id"
    ),
    FailureKind.EXPRESSION: (
        "an expression does not fit the answer: `monitor poll SOURCE ID --raw` shows both"
    ),
    FailureKind.KEY_MISSING: "the key cannot be read now: `monitor check-config` says why",
}


def remedy(kind: FailureKind, *, provider: str) -> str:
    """Say what to do about a failed poll, by the keys that the provider's table has."""
    text = REMEDIES[kind]
    if provider != "generic":
        return text
    return text.replace("base_url", "url").replace("api_key", "bearer, headers or password")


def describe(kind: FailureKind, status_code: int | None) -> str:
    """Name a failure in short: `404`, `timeout`."""
    return kind.value.replace("_", " ") if status_code in (None, 200) else str(status_code)


def describe_failures(failures: Failures, *, read_before: bool) -> str:
    """Say why a batch's polls fail; empty when they do not."""
    if failures.kind is None:
        return ""
    name = describe(failures.kind, failures.status_code)
    if read_before:
        return name
    return f"never read: {name}, {REMEDIES[failures.kind]}"


def write_failing(health: Health) -> str:
    """Say since when an account fails, why, and what to do; empty when it does not."""
    if health.failing_since is None or health.kind is None:
        return ""
    why = describe(health.kind, health.status_code)
    since = write_short_time(health.failing_since)
    return f"failing since {since}: {why}, {REMEDIES[health.kind]}"


def write_standing(source: SourceRow, *, now: datetime) -> Text:
    """Write what is wrong with an account: it fails, or a 429 pauses it; empty for nothing."""
    if failing := write_failing(source.health):
        return safe(f"{source.name} is {failing}", "red")
    paused_until = source.blocked_until
    if paused_until is not None and paused_until > now:
        until = write_short_time(paused_until)
        return safe(f"{source.name} is paused until {until}: too many requests (429)", "yellow")
    return Text()
