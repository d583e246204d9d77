"""The test of a receiver: `monitor test`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer

from monitor.app import build_receiver
from monitor.cli.remedy import REMEDIES
from monitor.cli.screen import put, safe, write_latency, write_short_time
from monitor.cli.session import run, unknown, writing
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.errors import FailureKind, NetworkKind, SecretMissingError
from monitor.engine.delivering.test_delivery import TestResult, send_test_delivery
from monitor.storage.receivers import ReceiverRow, register_receivers

_ON_THE_WAY: Final = (
    *(NetworkKind.ADDRESS, NetworkKind.DNS, NetworkKind.CONNECT),
    *(kind for kind in NetworkKind if kind.startswith("tls")),
)
"""What fails on the way to a receiver fails as it does on the way to a provider."""
_URL_KEYS: Final = {"slack": "webhook_url", "webhook": "url"}
"""By the kind of a receiver."""
_HINTS: Final[Mapping[object, str]] = {
    401: "it does not believe who sends: has it another secret, or does it want a header?",
    403: "it does not let this in: has it another secret, or does it want a header?",
    404: "nothing is there: check the path of its {url}",
    **{kind.value: REMEDIES[FailureKind(kind)] for kind in _ON_THE_WAY},
    "timeout": "no answer in time: let it answer first and work later",
    "not_ok": "what answers there is not Slack: check its {url}, and for a proxy in between",
    **dict.fromkeys(
        ("invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team"),
        "Slack has no such webhook any more: make a new one, and put it into its {url}",
    ),
    "channel_is_archived": "the webhook's channel is archived: bring it back, or make another",
    "secret_malformed": "its secret has the wrong form: config.example.toml shows the right one",
}


def send(path: Path | None, receiver: str) -> None:
    """Send a test; raise Exit(1) when it did not arrive."""
    config = load(path)
    if receiver not in config.receivers:
        raise unknown("receiver", receiver, config.receivers)
    _check_secrets(config, receiver)
    run(_send(config, receiver))


def _check_secrets(config: Config, receiver: str) -> None:
    """Raise SecretMissingError with all secrets of this receiver that are missing."""
    problems = []
    for secret in config.receivers[receiver].held_secrets():
        try:
            secret.read()
        except SecretMissingError as error:
            problems.append(f"receivers.{receiver}.{error}")
    if problems:
        raise SecretMissingError("\n".join(problems))


async def _send(config: Config, name: str) -> None:
    async with writing(config) as database:
        row = (await register_receivers(database, [name]))[name]
        receiver = build_receiver(config, row)
        try:
            tried = await send_test_delivery(database, receiver, row)
        finally:
            await receiver.sink.close()
    _tell(row, tried, kind=receiver.kind)
    if not tried.arrived:
        raise typer.Exit(1)


def _tell(row: ReceiverRow, tried: TestResult, *, kind: str) -> None:
    verdict, arrived, delivery = tried.verdict, tried.arrived, tried.delivery
    words = ["delivered" if arrived else "failed"]
    words += [str(word) for word in (verdict.status_code, verdict.error) if word is not None]
    headline = f"{row.name}: {', '.join(words)}, {write_latency(tried.duration)}"
    put(safe(headline, "green" if arrived else "red"))
    put(safe(f"event {delivery.event_id}, delivery {delivery.row}", "dim"))
    if verdict.reason:
        put(safe(f"OpenSSL says: {verdict.reason}"))
    if verdict.response:
        put(safe(f"response: {verdict.response}"))
    if not arrived and (hint := _HINTS.get(verdict.error or verdict.status_code)):
        put(safe(hint.format(url=_URL_KEYS[kind])))
    if row.hold is not None:
        since = write_short_time(row.hold.since)
        end = "lifted" if arrived else "goes on"
        put(safe(f"the receiver has been held since {since}; the hold {end}", "yellow"))
