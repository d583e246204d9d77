"""A reading taken now and not stored."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.text import Text

from monitor.cli.generic_hints import expression_problems, word_facts
from monitor.cli.options import Output
from monitor.cli.raw_answer import show_raw
from monitor.config.schema import Config
from monitor.config.warnings import require_secrets
from monitor.core.batch import Reading, progress
from monitor.core.errors import PollError
from monitor.core.event import stamp
from monitor.core.failure import FailureKind
from monitor.engine.ports import Provider
from monitor.facts.calls import write_contacts, write_counts
from monitor.facts.names import check_id, check_known
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
    settings: SourceSettings
    id: str
    reading: Reading
    at: datetime
    took: timedelta


async def poll(config: Config, source: str, batch_id: str, *, raw: bool, output: str) -> None:
    """Read one batch and show it; raise Exit(1) when the poll fails."""
    check_known("source", source, config.sources)
    check_id(batch_id)
    require_secrets(config, source=source)
    settings, answers = config.sources[source], list[Answer]()
    provider = build(settings, deadline=config.polling.deadline, on_answer=answers.append)
    began = time.monotonic()
    found = await _read(provider, batch_id)
    at, took = datetime.now(UTC), timedelta(seconds=time.monotonic() - began)
    if raw and answers:
        show_raw(answers[0], provider, settings, output=output)
    if isinstance(found, PollError):
        why = f"the poll failed: {found}, {write_latency(took)}"
        typer.echo(f"{source} {printable(batch_id)}: {why}", err=True)
        for line in _advice(found, provider, answers, settings=settings, raw=raw):
            typer.echo(line, err=True)
        raise typer.Exit(1)
    outcome = PollOutcome(
        source=source, settings=settings, id=batch_id, reading=found, at=at, took=took
    )
    if output == Output.TABLE:
        _show(outcome)
    elif not raw:
        write_json(_document(outcome))


async def _read(provider: Provider, batch_id: str) -> Reading | PollError:
    try:
        return await provider.read(batch_id, None)
    except PollError as error:
        return error
    finally:
        await provider.close()


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


def _document(outcome: PollOutcome) -> dict[str, Any]:
    reading = outcome.reading
    return {
        "source": outcome.source,
        "provider": outcome.settings.provider,
        "id": outcome.id,
        "name": reading.name,
        "status": reading.status,
        "phase": reading.phase.value,
        "outcome": reading.outcome.value if reading.outcome else None,
        "counts": None if reading.counts is None else dict(reading.counts),
        "uncounted": reading.uncounted,
        "unknown_call_statuses": list(reading.unknown_call_statuses),
        "total_contacts": reading.total_contacts,
        "valid_contacts": reading.valid_contacts,
        "progress": asdict(progress(reading)),
        "scheduled_at": stamp_if(reading.scheduled_at),
        "read_at": stamp(outcome.at),
        "duration_ms": outcome.took // timedelta(milliseconds=1),
    }


def _show(outcome: PollOutcome) -> None:
    reading, settings = outcome.reading, outcome.settings
    read = f"{write_time(outcome.at)}, in {write_latency(outcome.took)}; nothing stored"
    show_page(
        Text.assemble(safe(outcome.source), " ", safe(outcome.id, "bold")),
        [
            ("name", reading.name or ""),
            ("phase", list_words(word(reading.phase), word(reading.outcome))),
            ("status", reading.status),
            ("progress", draw_progress(progress(reading))),
            ("calls", write_counts(reading.counts)),
            ("uncounted", safe(reading.uncounted or "", "yellow")),
            ("unknown", safe(", ".join(reading.unknown_call_statuses), "red")),
            *(word_facts(reading, settings) if isinstance(settings, GenericSettings) else ()),
            ("contacts", write_contacts(reading)),
            ("scheduled", write_time(reading.scheduled_at)),
            ("read", read),
        ],
    )
