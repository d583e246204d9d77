"""Warnings: what a valid config will not do, though its author may expect it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from monitor import descriptors
from monitor.config.concurrency import files_needed, polls_at_once
from monitor.config.mistakes import suggest
from monitor.config.schema import Config
from monitor.config.secrets import missing_secrets, strange_secrets
from monitor.core.batch import normalise
from monitor.core.event import CONDITION_NAMES, MATCHER_NAMES, EventType
from monitor.core.matching import Matcher
from monitor.core.routing import Route
from monitor.providers import BolnaSettings, GenericSettings
from monitor.providers.expression import doubtful_fields
from monitor.setting_types import NAME, OFF, write_duration

_CHATTY: Final = frozenset({EventType.FIRST_SEEN, EventType.COUNTS_CHANGED})
"""Which the documentation advises to leave out of channels that people read."""
_MINUTE = timedelta(minutes=1)
_BOLNA_ROUNDS = timedelta(minutes=10)


def warnings_of(config: Config, *, deliberate: bool = True) -> list[str]:
    """List everything worth a second look, one line each.

    Without `deliberate` not what may well be meant: that a route turns a type away, or wants a
    label that only `add` can give.
    """
    return [
        *_absent_sources(config),
        *_silent_types(config, deliberate=deliberate),
        *(_unknown_labels(config) if deliberate else ()),
        *_overruled_labels(config),
        *_unused_receivers(config),
        *_tight_budgets(config),
        *_hasty_conditions(config),
        *_strange_statuses(config),
        *_quoted_texts(config),
        *strange_secrets(config),
        *missing_secrets(config),
    ]


def warnings_at_work(config: Config) -> list[str]:
    """List what a daemon says of its config: no deliberate choice, but what its own process lacks.

    A shell that checks a file has limits of its own.
    """
    return [*warnings_of(config, deliberate=False), *_scarce_descriptors(config)]


def _scarce_descriptors(config: Config) -> Iterator[str]:
    wanted, possible = config.polling.concurrency, polls_at_once(config)
    if possible < wanted:
        yield (
            f"polling.concurrency = {wanted} takes up to {files_needed(config)} open files, and"
            f" this process may have {descriptors.limit()}: {possible} polls at once are possible;"
            " raise LimitNOFILE= (`ulimit -n`), or lower it"
        )


def _absent_sources(config: Config) -> Iterator[str]:
    if not config.sources:
        yield (
            "there are no sources, so nothing can be watched: give each account a"
            " [sources.NAME] table"
        )


def _silent_types(config: Config, *, deliberate: bool) -> Iterator[str]:
    silent = [kind for kind in EventType if not _heard(kind, config)]
    if config.routes:
        meant = _CHATTY if deliberate else frozenset(EventType)
        silent = [one for one in silent if one not in meant or not _is_turned_away(one, config)]
    if not silent:
        return
    if deaf := deafness(config):
        yield deaf
        return
    names = ", ".join(kind.value for kind in silent)
    about = {kind.value.partition(".")[0] for kind in silent}
    reason = "" if "source" not in about else " (events of a source carry its labels, no batch's)"
    yield f"no route can match {names}: nobody will hear of it{reason}"


def deafness(config: Config) -> str:
    """Write that nobody can hear of anything, and what to do; empty where there is a route."""
    if config.routes:
        return ""
    wanted = "give each receiver a [[routes]] table"
    if not config.receivers:
        wanted = "add a [receivers.NAME] table, and a [[routes]] table that leads to it"
    return f"there are no routes, so no event goes anywhere: {wanted}"


def _heard(kind: EventType, config: Config) -> bool:
    if kind is EventType.TEST:  # goes to its receiver without a route
        return True
    if kind.value.startswith("batch."):
        return any(_can_match_batch(kind, route) for route in config.routes)
    return not config.sources or any(
        route.applies(facts) for route in config.routes for facts in _source_facts(kind, config)
    )


def _is_turned_away(kind: EventType, config: Config) -> bool:
    return any(
        matcher.op.negative and not matcher.matches({"type": kind.value})
        for route in config.routes
        for matcher in _on_type(route.matchers)
    )


def _can_match_batch(kind: EventType, route: Route) -> bool:
    """Judge by the type alone: some batch may satisfy every other matcher."""
    return all(matcher.matches({"type": kind.value}) for matcher in _on_type(route.matchers))


def _on_type(matchers: Iterable[Matcher]) -> Iterator[Matcher]:
    return (matcher for matcher in matchers if matcher.name == "type")


def _source_facts(kind: EventType, config: Config) -> Iterator[Mapping[str, str]]:
    for name, source in config.sources.items():
        own = {"type": kind.value, "source": name, "provider": source.provider}
        yield {**source.labels, **own}


def _unknown_labels(config: Config) -> Iterator[str]:
    """Name labels that neither the sources nor the declared batches have; `add` may give them."""
    labels = {name for source in config.sources.values() for name in source.labels}
    labels |= {name for batch in config.batches for name in batch.labels}
    known = [*labels, *MATCHER_NAMES, *CONDITION_NAMES]
    for number, route in enumerate(config.routes if config.sources else ()):
        for matcher in route.matchers:
            if matcher.name not in known and not matcher.matches({}):
                how = "only `monitor add --label` can give it one"
                if not NAME.fullmatch(matcher.name):
                    how = "nothing can give it one: labels are named by a-z, 0-9, _ and -"
                yield (
                    f"routes[{number}]: {matcher}: no source and no declared batch has a label"
                    f" {matcher.name!r}, so {how}{suggest(matcher.name, known)}"
                )


def _overruled_labels(config: Config) -> Iterator[str]:
    tables: list[tuple[str, Iterable[str]]] = [
        *((f"sources.{name}", source.labels) for name, source in config.sources.items()),
        *((f"batches[{n}]", batch.labels) for n, batch in enumerate(config.batches)),
    ]
    for table, labels in tables:
        for name in CONDITION_NAMES:
            if name in labels:
                yield (
                    f"{table}.labels.{name}: matchers see the condition of that name, not this"
                    " label: give it another name"
                )


def _unused_receivers(config: Config) -> Iterator[str]:
    used = {route.receiver for route in config.routes}
    for name in config.receivers:
        if name not in used:
            yield f"receivers.{name}: no route leads to it"


def _tight_budgets(config: Config) -> Iterator[str]:
    declared = Counter(batch.source for batch in config.batches)
    for name, source in config.sources.items():
        batches, interval = declared[name], source.interval or config.polling.interval
        requests = source.requests_per_poll
        needed, budget = requests * batches * (_MINUTE / interval), source.rate_limit * 60
        if needed > budget * (1 + 1e-9):
            noun = "batch" if batches == 1 else "batches"
            verb = "needs" if batches == 1 else "need"
            each = f" ({requests} requests a poll, by counts)" if requests > 1 else ""
            yield (
                f"sources.{name}: {batches:,} {noun} at {write_duration(interval)} {verb} "
                f"{_number(needed)}/min{each}, budget {_number(budget)}/min"
            )


def _hasty_conditions(config: Config) -> Iterator[str]:
    """Name each pair of keys once, whose lengths make polls that tell too much."""
    said = (warning for name in config.sources for warning in _hasty(name, config))
    yield from dict.fromkeys(said)


def _hasty(name: str, config: Config) -> Iterator[str]:
    key, interval = _in_force(name, "interval", config)
    poll = interval, f"{key}, {write_duration(interval)}"
    limits = [
        ("stall_after", *poll, "it takes extra polls, and one quiet poll makes a batch stalled"),
        ("settle_after", *poll, "one quiet poll ends a batch whose calls are open"),
    ]
    if isinstance(config.sources[name], BolnaSettings):
        rounds = f"the {write_duration(_BOLNA_ROUNDS)} to which Bolna rounds starts up"
        late = f"batches of {name} may be told as overdue that are on time"
        limits.append(("overdue_after", _BOLNA_ROUNDS, rounds, late))
    for setting, shortest, what, so in limits:
        own, limit = _in_force(name, setting, config)
        if limit != OFF and limit <= shortest:
            yield f"{own}: {write_duration(limit)} is no longer than {what}: {so}"


def _in_force(name: str, key: str, config: Config) -> tuple[str, Any]:
    """Return a setting of a source with the key that says it: its own, or that of all."""
    own = getattr(config.sources[name], key)
    if own is not None:
        return f"sources.{name}.{key}", own
    return f"polling.{key}", getattr(config.polling, key)


def _strange_statuses(config: Config) -> Iterator[str]:
    """Name words that no batch may ever show; it may, for providers add some."""
    for name, source in config.sources.items():
        if isinstance(source, GenericSettings) or source.discover is None:
            continue
        known = source.known_statuses
        for word in source.discover.statuses:
            if normalise(word) not in map(normalise, known):
                yield (
                    f"sources.{name}.discover.statuses: {word!r} is no status that we know of "
                    f"{source.provider}: {', '.join(known)}"
                )


def _quoted_texts(config: Config) -> Iterator[str]:
    for name, source in config.sources.items():
        if isinstance(source, GenericSettings):
            for key, expression in source.expressions():
                for field in doubtful_fields(expression):
                    yield (
                        f'sources.{name}.{key}: "{field}" is a field of the answer: a text stands'
                        f" in single quotes, '{field}'"
                    )


def _number(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
