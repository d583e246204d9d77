"""A reading taken now and not stored."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.text import Text

from monitor.cli.generic_hints import expression_problems, findings_in, hints
from monitor.cli.next_step import show_next, ways_to_watch
from monitor.cli.options import Output
from monitor.cli.raw_answer import show_raw
from monitor.cli.session import known_id
from monitor.config.schema import Config
from monitor.config.secrets import require_secrets
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
from monitor.screen.page import Fact, draw_progress, list_words, show_page


async def poll(config: Config, source: str, batch_id: str, *, raw: bool, output: str) -> None:
    """Read one batch and show it; raise Exit(1) when the poll fails."""
    check_known("source", source, config.sources)
    check_id(batch_id)
    batch_id = await known_id(config, source, batch_id)
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
    if output == Output.TABLE:
        title = Text.assemble(safe(source), " ", safe(batch_id, "bold"))
        read = f"{write_time(at)}, in {write_latency(took)}; nothing stored"
        hinted = _hints(found, provider, answers, settings)
        show_page(title, [*_facts(found, hinted), ("read", read)])
        show_next(*ways_to_watch(config, source, batch_id))
    elif not raw:
        about = {"source": source, "provider": settings.provider, "id": batch_id}
        read_at = {"read_at": stamp(at), "duration_ms": took // timedelta(milliseconds=1)}
        write_json({**about, **_document(found), **read_at})


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


def _document(reading: Reading) -> dict[str, Any]:
    return {
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
    }


def _hints(
    reading: Reading, provider: Provider, answers: list[Answer], settings: SourceSettings
) -> Iterator[Fact]:
    if isinstance(provider, Generic) and isinstance(settings, GenericSettings):
        yield from hints(reading, settings, findings_in(provider, answers[-1].body))


def _facts(reading: Reading, hinted: Iterable[Fact]) -> list[Fact]:
    return [
        ("name", reading.name or ""),
        ("phase", list_words(word(reading.phase), word(reading.outcome))),
        ("status", reading.status),
        ("progress", draw_progress(progress(reading))),
        ("calls", write_counts(reading.counts)),
        ("uncounted", safe(reading.uncounted or "", "yellow")),
        ("unknown", safe(", ".join(reading.unknown_call_statuses), "red")),
        *hinted,
        ("contacts", write_contacts(reading)),
        ("scheduled", write_time(reading.scheduled_at)),
    ]
