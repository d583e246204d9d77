"""The trial of a receiver: `monitor test`."""

import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import typer

from monitor.app import build_receiver
from monitor.cli.screen import safe, show, write_latency, write_short_time
from monitor.cli.session import run, unknown, writing
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.core.delivery import (
    Delivery,
    DeliveryState,
    Settlement,
    Verdict,
    VerdictKind,
)
from monitor.core.errors import DataRefusedError, SecretMissingError
from monitor.core.event import Event, EventType, compose
from monitor.core.payload import receiver_data, receiver_subject
from monitor.engine.receiver import Receiver
from monitor.storage.database import Database
from monitor.storage.deliveries import Settled, settle_deliveries
from monitor.storage.outbox import Birth
from monitor.storage.receiver_trial import Trial, owe_trial
from monitor.storage.receivers import ReceiverRow, lift_hold, register_receivers

_HINTS: Final = {
    "address": (
        "its url leads to an address that is not public; allow_private = true opens private ones"
    ),
    "dns": "its host has no address: check the spelling of the url and the network",
    "connect": "nobody listens there: check url, firewall and proxy",
    "tls": "its certificate is not trusted: check the url, or name its CA by ca_file",
    "timeout": "no whole answer in time: let it answer first and work later, or raise timeout",
    "secret_malformed": "its secret has the wrong form: config.example.toml shows the right one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Hold what the one attempt brought."""

    verdict: Verdict
    started_at: datetime
    duration: timedelta


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
            delivery = await _owe(database, receiver, row)
            tried = await _try(database, receiver, delivery)
        finally:
            await receiver.sink.close()
        if tried.verdict.kind is VerdictKind.DELIVERED and row.hold is not None:
            await lift_hold(database, name, now=await database.now())
    _tell(name, row, delivery, tried)
    if tried.verdict.kind is not VerdictKind.DELIVERED:
        raise typer.Exit(1)


async def _owe(database: Database, receiver: Receiver, row: ReceiverRow) -> Delivery:
    now = await database.now()
    subject = receiver_subject(row.row, row.name, row.key)

    def compose_test(sequence: int) -> Event:
        data = receiver_data(row.name, receiver.kind)
        return compose(EventType.TEST, subject, sequence=sequence, at=now, data=data)

    birth = Birth(
        owner=f"test-{os.getpid()}-{secrets.token_hex(4)}",
        lease=receiver.lease,
        room=lambda _: 1,
    )
    return await owe_trial(
        database, Trial(receiver=row, compose=compose_test, birth=birth), now=now
    )


async def _try(database: Database, receiver: Receiver, delivery: Delivery) -> Tried:
    """Make the one attempt and settle it; one that is cut off by Ctrl-C is settled too."""
    started_at, began = await database.now(), time.monotonic()
    verdict = Verdict(kind=VerdictKind.RETRY, error="cancelled")
    try:
        verdict = await receiver.sink.send(delivery, sent_at=datetime.now(UTC))
    finally:
        duration = timedelta(seconds=time.monotonic() - began)
        tried = Tried(verdict=verdict, started_at=started_at, duration=duration)
        await _settle(database, delivery, tried)
    return tried


async def _settle(database: Database, delivery: Delivery, tried: Tried) -> None:
    """Write the attempt; a test that failed is dead, so that it surprises nobody later."""
    arrived = tried.verdict.kind is VerdictKind.DELIVERED
    settled = Settled(
        delivery=delivery,
        verdict=tried.verdict,
        settlement=Settlement(
            state=DeliveryState.DELIVERED if arrived else DeliveryState.DEAD,
            due_at=None,
            attempts=1,
        ),
        started_at=tried.started_at,
        duration=tried.duration,
    )
    now = await database.now()
    try:
        await settle_deliveries(database, [settled], now=now)
    except DataRefusedError:
        await settle_deliveries(database, [settled.without_response()], now=now)


def _tell(name: str, row: ReceiverRow, delivery: Delivery, tried: Tried) -> None:
    verdict = tried.verdict
    arrived = verdict.kind is VerdictKind.DELIVERED
    words = ["delivered" if arrived else "failed"]
    words += [str(word) for word in (verdict.status_code, verdict.error) if word is not None]
    headline = f"{name}: {', '.join(words)}, {write_latency(tried.duration)}"
    show(safe(headline, "green" if arrived else "red"))
    show(safe(f"event {delivery.event_id}, delivery {delivery.row}", "dim"))
    if verdict.response:
        show(safe(f"response: {verdict.response}"))
    if not arrived and verdict.error in _HINTS:
        show(safe(_HINTS[verdict.error]))
    if row.hold is not None:
        since = write_short_time(row.hold.since)
        end = "lifted" if arrived else "goes on"
        show(safe(f"the receiver has been held since {since}; the hold {end}", "yellow"))
