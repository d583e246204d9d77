"""The listener: a consumer on loopback that prints what arrives."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import typer
from rich.text import Text

from monitor.cli.options import Output
from monitor.config.schema import Config
from monitor.consumer import Arrival, Consumer, Refusal
from monitor.core.errors import UnknownNameError
from monitor.core.event import is_test
from monitor.facts.event_summary import source_in
from monitor.facts.names import check_known
from monitor.facts.times import write_short_time
from monitor.net.redact import printable
from monitor.screen.console import make_console, safe
from monitor.screen.documents import write_document
from monitor.secret import Secret
from monitor.sinks.signature import parse_keys
from monitor.sinks.webhook import WebhookSettings

_SPACE: Final = Text("  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The receiver whose webhooks are heard: one of the config file, or one yet to be written."""

    name: str
    secret: Secret
    settings: WebhookSettings | None

    def advise(self, url: str) -> Iterator[str]:
        """Say what the config file needs to lead it to a URL; nothing if it leads there."""
        known = self.settings
        if known and known.allow_private and urlsplit(known.url)[:2] == urlsplit(url)[:2]:
            return
        if known:
            yield f"to lead {self.name} here, change in its table of the config file:"
        else:
            yield "to lead a receiver here, write into the config file:"
            yield f"  [receivers.{self.name}]"
            yield '  kind = "webhook"'
            yield f'  secret_env = "{self.secret.env}"'
        yield f'  url = "{url}"'
        yield "  allow_http = true"
        yield "  allow_private = true"


def receiver_in(config: Config, name: str | None) -> Receiver:
    """Return a webhook receiver of the config, the only one if none is named.

    Raises UnknownNameError for any other, or if it is not the only one.
    """
    if name is None:
        webhooks = [
            key for key, one in config.receivers.items() if isinstance(one, WebhookSettings)
        ]
        if len(webhooks) != 1:
            raise UnknownNameError(
                f"the config has {len(webhooks) or 'no'} webhooks: name one by --receiver, or the"
                " variable of a secret by --secret-env"
            )
        (name,) = webhooks
    check_known("receiver", name, config.receivers)
    settings = config.receivers[name]
    if not isinstance(settings, WebhookSettings):
        raise UnknownNameError(f"{name} is no webhook: nothing that {settings.kind} gets is signed")
    return Receiver(name=name, secret=settings.secret, settings=settings)


def receiver_with(variable: str) -> Receiver:
    """Return a receiver, yet to be written, whose secret is in an environment variable."""
    secret = Secret(name="--secret-env", env=variable).checked_by(parse_keys)
    return Receiver(name="local", secret=secret, settings=None)


async def listen(receiver: Receiver, *, port: int, output: str) -> None:
    """Print what arrives until interrupted; raise Exit(1) when the port is taken."""
    arrived: asyncio.Queue[Arrival | Refusal] = asyncio.Queue()
    consumer = Consumer(receiver.secret.read(), arrived.put_nowait, port=port)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(consumer)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            typer.echo(f"cannot listen on 127.0.0.1:{port}: {reason}; --port 0 is any", err=True)
            raise typer.Exit(1) from None
        _greet(receiver, consumer.url)
        while True:
            _write(await arrived.get(), output=output)


def _greet(receiver: Receiver, url: str) -> None:
    """Say on standard error what comes next: standard output is for what arrives."""
    typer.echo(f"listening on {url} until Ctrl-C", err=True)
    for line in receiver.advise(url):
        typer.echo(line, err=True)
    typer.echo(f"then, elsewhere: monitor test {receiver.name} --type batch.failed", err=True)


def _write(arrived: Arrival | Refusal, *, output: str) -> None:
    if output == Output.TABLE:
        console = make_console()
        line = _line(arrived)
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)
    elif isinstance(arrived, Arrival):
        write_document(arrived.body)
    else:
        typer.echo(f"refused: {printable(arrived.reason)}", err=True)


def _line(arrived: Arrival | Refusal) -> Text:
    at = safe(write_short_time(datetime.now(UTC)), "dim")
    if isinstance(arrived, Refusal):
        return _SPACE.join([at, safe("refused    ", "red"), safe(arrived.reason)])
    document = arrived.document
    verdict = safe("seen before", "yellow") if arrived.duplicate else safe("verified   ", "green")
    number = f"sequence {arrived.sequence}" + (", a test" if is_test(document) else "")
    parts = (f"{document['type']:<20}", number, source_in(document), document["subject"])
    return _SPACE.join([at, verdict, *map(safe, parts)])
