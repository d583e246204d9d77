"""Registration: batches watched from now on, or no longer."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import typer
from pydantic import ValidationError

from monitor.cli.next_step import command, show_next
from monitor.cli.options import Work
from monitor.cli.session import writing
from monitor.config.mistakes import mistakes_of
from monitor.config.schema import Config, DeclaredBatch
from monitor.config.warnings import deafness
from monitor.core.batch import Origin
from monitor.core.batch_id import identity_of
from monitor.core.errors import UnknownNameError
from monitor.core.event import CONDITION_NAMES
from monitor.facts.batch_id import whole_id
from monitor.facts.daemon_seen import missing_daemon
from monitor.facts.names import check_known, complaint_of
from monitor.net.redact import printable
from monitor.storage.batches.read import has_batches
from monitor.storage.batches.register import (
    Registration,
    RegistrationCounts,
    register_batches,
    unregister_batches,
)

_SHOWN = 60


def add(
    config: Config,
    source: str,
    ids: Sequence[str],
    *,
    labels: Mapping[str, str] | None,
    name: str | None,
) -> Work:
    """Watch batches; all or, if one id cannot be one, none.

    Ids are read before the event loop runs: Ctrl-C then ends a read of standard input at once.
    """
    check_known("source", source, config.sources)
    wanted = _read_ids(ids)
    _check_ids(wanted)
    if name is not None and len(wanted) != 1:
        raise typer.BadParameter("a name is for a single batch", param_hint="--name")
    _check_described(name, labels)
    batches = [Registration(source=source, id=id_, name=name, labels=labels) for id_ in wanted]
    return _add(config, batches)


async def _add(config: Config, batches: Sequence[Registration]) -> None:
    async with writing(config) as database:
        now = await database.now()
        done = await register_batches(database, batches, origin=Origin.ADDED, now=now)
        trouble = await missing_daemon(database)
    described = any(batch.labels or batch.name for batch in batches)
    by = "the next daemon" if trouble else "the daemon within 2 s"
    for line in _write_counts(done, by=by, described=described):
        typer.echo(line)
    for lack in filter(None, (trouble, deafness(config))):
        typer.echo(lack, err=True)
    show_next(command("run" if trouble else "list", config))


def _write_counts(done: RegistrationCounts, *, by: str, described: bool) -> Iterator[str]:
    if done.new:
        yield f"{done.new:,} new: picked up by {by}"
    if done.again:
        yield f"{done.again:,} again: removed once, now watched from a new first reading on"
    if done.woken:
        yield f"{done.woken:,} woken: forgotten since settled, now polled again"
    if done.known:
        yield f"{done.known:,} already watched{', described anew' if described else ''}"


def remove(config: Config, source: str, texts: Sequence[str]) -> Work:
    """Stop watching batches; raise UnknownNameError for those that were not watched.

    Ids that are arguments may be only begun: those of standard input are many, and a program's.
    """
    return _remove(config, source, _read_ids(texts), given=frozenset(texts))


async def _remove(
    config: Config, source: str, texts: Sequence[str], *, given: Collection[str]
) -> None:
    async with writing(config) as database:
        ids = [await whole_id(database, source, text) if text in given else text for text in texts]
        possible = [id_ for id_ in ids if not complaint_of(id_)]
        removed = await unregister_batches(database, source, possible)
        if not await has_batches(database, source):
            check_known("source", source, config.sources)
    if removed:
        typer.echo(f"{len(removed):,} no longer watched; history and sequence are kept")
    for text, id_ in zip(texts, ids, strict=True):
        if text != id_:
            typer.echo(f"{text} was {id_}")
    for batch in config.batches:
        if batch.source == source and identity_of(batch.id) in removed:
            typer.echo(
                f"warning: {config.path} declares {batch.id}: the next start or reload watches"
                " it again",
                err=True,
            )
    missing = [id_ for id_ in ids if identity_of(id_) not in removed]
    if missing:
        raise UnknownNameError("\n".join(_write_missing(source, missing)))


def _write_missing(source: str, ids: Sequence[str]) -> Iterator[str]:
    complaints = {id_: complaint_of(id_) for id_ in ids}
    for id_, complaint in complaints.items():
        yield f"{_shown(id_)}: {complaint or f'{source} watches no such batch'}"
    if "" in complaints.values():
        yield f"`monitor list 'source = {source}'` shows those it watches"


def _read_ids(given: Sequence[str]) -> list[str]:
    """Return the ids, each batch once; `-` stands for those on standard input, one a line."""
    ids: dict[str, str] = {}
    for text in given:
        for id_ in _read_lines() if text == "-" else [text]:
            ids.setdefault(identity_of(id_), id_)
    if not ids:
        raise typer.BadParameter("standard input holds no ids", param_hint="ID…")
    return list(ids.values())


def _read_lines() -> Iterator[str]:
    # no id is broken UTF-8: surrogates stand for it, and are refused with all others
    text = sys.stdin.buffer.read().decode("utf-8-sig", errors="surrogateescape")
    return (line for part in text.splitlines() if (line := part.strip()))


def _check_ids(ids: Sequence[str]) -> None:
    """Raise UnknownNameError that names all texts that cannot be ids; nothing is registered."""
    bad = [f"{_shown(id_)}: {why}" for id_ in ids if (why := complaint_of(id_))]
    if bad:
        raise UnknownNameError("\n".join([*bad, "nothing was registered"]))


def _shown(batch_id: str) -> str:
    text = printable(batch_id)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def parse_labels(labels: Sequence[str]) -> dict[str, str] | None:
    """Read labels given as K=V; a mistake in one is wrong usage. None: no labels were given."""
    if not labels:
        return None
    parsed = {}
    for label in labels:
        name, equals, value = label.partition("=")
        if not equals:
            raise typer.BadParameter(f"{label!r} must be K=V", param_hint="--label")
        if name in parsed:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint="--label")
        if name in CONDITION_NAMES:  # the file's are only warned of: they may be in use already
            reason = f"{name!r} cannot be a label: matchers know a condition by that name"
            raise typer.BadParameter(reason, param_hint="--label")
        parsed[name] = value
    return parsed


def _check_described(name: str | None, labels: Mapping[str, str] | None) -> None:
    """Hold name and labels to what the config file allows; a mistake is wrong usage."""
    table: dict[str, Any] = {"source": "-", "id": "-", "labels": dict(labels or {})}
    if name is not None:
        table["name"] = name
    try:
        DeclaredBatch.model_validate(table)
    except ValidationError as error:
        mistakes = (f"{mistake.key}: {mistake.text}" for mistake in mistakes_of(error))
        raise typer.BadParameter(printable("; ".join(mistakes))) from None
