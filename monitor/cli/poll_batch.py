"""A reading taken now and not stored."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from monitor.cli.generic_hints import expression_problems, word_facts
from monitor.cli.options import Output
from monitor.cli.raw_answer import show_raw
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.config.warnings import require_secrets
from monitor.core.batch import Progress, Reading, progress
from monitor.core.batch_id import check_batch_id
from monitor.core.errors import PollError, UnknownNameError
from monitor.core.event import stamp
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.facts.calls import write_contacts, write_counts
from monitor.facts.names import unknown
from monitor.facts.remedy import remedy
from monitor.facts.times import stamp_if, write_latency, write_time
from monitor.net.answer import Answer
from monitor.net.redact import printable
from monitor.providers import GenericSettings, SourceSettings, build
from monitor.providers.generic import Generic
from monitor.screen.console import safe, word
from monitor.screen.documents import write_json
from monitor.screen.page import draw_progress, list_words, show_page


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """A reading, and how it was come by."""

    source: str
    provider: str
    id: str
    reading: Reading
    progress: Progress
    at: datetime
    took: timedelta


async def poll(path: Path | None, source: str, batch_id: str, *, raw: bool, output: str) -> None:
    """Read one batch and show it; raise Exit(1) when the poll fails."""
    config = load(path)
    if source not in config.sources:
        raise unknown("source", source, config.sources)
    try:
        check_batch_id(batch_id)
    except ValueError as error:
        raise UnknownNameError(f"{batch_id!r}: {error}") from None
    require_secrets(config, source=source)
    await _poll(config, source, batch_id, raw=raw, output=output)


async def _poll(config: Config, source: str, batch_id: str, *, raw: bool, output: str) -> None:
    began = time.monotonic()
    answers: list[Answer] = []
    settings = config.sources[source]
    provider = build(settings, deadline=config.polling.deadline, on_answer=answers.append)
    try:
        read = await _read(provider, config, source, batch_id, began=began)
    except PollError as error:
        took = write_latency(timedelta(seconds=time.monotonic() - began))
        if raw and answers:
            show_raw(answers[0], provider, settings, output=output)
        typer.echo(f"{source} {printable(batch_id)}: the poll failed: {error}, {took}", err=True)
        for line in _advice(error, provider, answers, settings=settings, raw=raw):
            typer.echo(line, err=True)
        raise typer.Exit(1) from None
    if raw:
        show_raw(answers[0], provider, settings, output=output)
    if output == Output.JSON and not raw:
        write_json(_document(read))
    if output == Output.TABLE:
        _show_read(read, settings)


def _advice(
    error: PollError,
    provider: Provider,
    answers: list[Answer],
    *,
    settings: SourceSettings,
    raw: bool,
) -> Iterator[str]:
    """Yield what is wrong and what to do about it."""
    misfit = error.kind is FailureKind.EXPRESSION
    if misfit and isinstance(provider, Generic):
        yield from expression_problems(provider, answers[-1].body)
    if not (misfit and raw):
        yield remedy(error.kind, provider=settings.provider)


async def _read(
    provider: Provider, config: Config, source: str, batch_id: str, *, began: float
) -> PollOutcome:
    try:
        reading = await provider.read(batch_id, None)
    finally:
        await provider.close()
    at = datetime.now(UTC)
    return PollOutcome(
        source=source,
        provider=config.sources[source].provider,
        id=batch_id,
        reading=reading,
        progress=progress(reading),
        at=at,
        took=timedelta(seconds=time.monotonic() - began),
    )


def _document(read: PollOutcome) -> dict[str, Any]:
    reading = read.reading
    return {
        "source": read.source,
        "provider": read.provider,
        "id": read.id,
        "name": reading.name,
        "status": reading.status,
        "phase": reading.phase.value,
        "outcome": reading.outcome.value if reading.outcome else None,
        "counts": None if reading.counts is None else dict(reading.counts),
        "uncounted": reading.uncounted,
        "unknown_call_statuses": list(reading.unknown_call_statuses),
        "total_contacts": reading.total_contacts,
        "valid_contacts": reading.valid_contacts,
        "progress": asdict(read.progress),
        "scheduled_at": stamp_if(reading.scheduled_at),
        "read_at": stamp(read.at),
        "duration_ms": read.took // timedelta(milliseconds=1),
    }


def _show_read(read: PollOutcome, settings: SourceSettings) -> None:
    reading = read.reading
    show_page(
        Text.assemble(safe(read.source), " ", safe(read.id, "bold")),
        [
            ("name", reading.name or ""),
            ("phase", list_words(word(reading.phase), word(reading.outcome))),
            ("status", reading.status),
            ("progress", draw_progress(read.progress)),
            ("calls", write_counts(reading.counts)),
            ("uncounted", safe(reading.uncounted or "", "yellow")),
            ("unknown", safe(", ".join(reading.unknown_call_statuses), "red")),
            *(word_facts(reading, settings) if isinstance(settings, GenericSettings) else ()),
            ("contacts", write_contacts(reading)),
            ("scheduled", write_time(reading.scheduled_at)),
            ("read", f"{write_time(read.at)}, in {write_latency(read.took)}; nothing stored"),
        ],
    )
