"""The test of a receiver: one event sent to it by the real path."""

import typer

from monitor.app import build_receiver
from monitor.cli.session import writing
from monitor.config.schema import Config
from monitor.core.errors import SecretMissingError
from monitor.core.event import EventType
from monitor.engine.delivering.receiver_test import send_receiver_test
from monitor.facts.examples import example_of
from monitor.facts.names import check_known
from monitor.facts.remedy import receiver_remedy
from monitor.facts.times import write_latency, write_short_time
from monitor.screen.console import put, safe
from monitor.storage.deliveries.claim import EndedAttempt
from monitor.storage.receivers import ReceiverRow, register_receivers


async def send(config: Config, receiver: str, event_type: str) -> None:
    """Send a test of a type; raise Exit(1) when it did not arrive."""
    check_known("receiver", receiver, config.receivers)
    _check_secrets(config, receiver)
    example = None if event_type == EventType.TEST else example_of(event_type)
    async with writing(config) as database:
        row = (await register_receivers(database, [receiver]))[receiver]
        built = build_receiver(config, row)
        try:
            result = await send_receiver_test(database, built, row, example=example)
        finally:
            await built.sink.close()
    _print(row, result, kind=built.kind)
    if example is not None:
        put(safe(f"it was the example of {event_type} with `data.test` true", "dim"))
    if not result.arrived:
        raise typer.Exit(1)


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


def _print(row: ReceiverRow, result: EndedAttempt, *, kind: str) -> None:
    verdict, arrived, delivery = result.verdict, result.arrived, result.delivery
    words = ["delivered" if arrived else "failed"]
    words += [str(word) for word in (verdict.status_code, verdict.error) if word is not None]
    headline = f"{row.name}: {', '.join(words)}, {write_latency(result.duration)}"
    put(safe(headline, "green" if arrived else "red"))
    put(safe(f"event {delivery.event_id}, delivery {delivery.row}", "dim"))
    if verdict.reason:
        put(safe(f"OpenSSL says: {verdict.reason}"))
    if verdict.response:
        put(safe(f"response: {verdict.response}"))
    if not arrived and (hint := receiver_remedy(verdict.error or verdict.status_code, kind=kind)):
        put(safe(f"{hint}; this test is not sent again"))
    if row.hold is not None:
        since = write_short_time(row.hold.since)
        end = "lifted" if arrived else "goes on"
        put(safe(f"the receiver has been held since {since}; the hold {end}", "yellow"))
