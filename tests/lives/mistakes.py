"""Mistakes: one changed line each, planted in the observation code while a test runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Hold a mistake by what it does wrong; `old` must stand exactly once in the module."""

    name: str
    module: str
    old: str
    new: str


KNOWLEDGE, OBSERVE = "monitor.core.knowledge", "monitor.core.observe"
UNREACHABLE = "monitor.core.unreachable"
SOURCE, CONDITIONS = "monitor.core.source", "monitor.core.conditions"

MISTAKES = (
    Mistake(
        name="it settles without regard to open calls",
        module=KNOWLEDGE,
        old="    if counted and not shown.open_calls:\n",
        new="    if counted:\n",
    ),
    Mistake(
        name="an end without counts is believed at once",
        module=KNOWLEDGE,
        old="            counted=counted and not _lacks_calls(base, reading, total),\n",
        new="            counted=True,\n",
    ),
    Mistake(
        name="an end that lacks calls is believed at once",
        module=KNOWLEDGE,
        old="            counted=counted and not _lacks_calls(base, reading, total),\n",
        new="            counted=counted,\n",
    ),
    Mistake(
        name="calls that vanish as the status turns final are not missed",
        module=KNOWLEDGE,
        old="    return counted < sum((base.counts or {}).values())\n",
        new="    return False\n",
    ),
    Mistake(
        name="two readings confirm an end however near they are",
        module=KNOWLEDGE,
        old="at - since >= confirm_after:",
        new="at > since:",
    ),
    Mistake(
        name="counts that go down are no change",
        module=KNOWLEDGE,
        old="for status, change in moved.items() if change}",
        new="for status, change in moved.items() if change > 0}",
    ),
    Mistake(
        name="missing counts are zeros",
        module=KNOWLEDGE,
        old="        counts, shown = base.counts, base\n",
        new="        counts, shown = {}, reading\n",
    ),
    Mistake(
        name="an open call does not reopen what had settled",
        module=KNOWLEDGE,
        old="    if base.settled_at is not None and shown.open_calls <= base.open_calls:\n",
        new="    if base.settled_at is not None:\n",
    ),
    Mistake(
        name="any open call reopens what had settled",
        module=KNOWLEDGE,
        old="    if base.settled_at is not None and shown.open_calls <= base.open_calls:\n",
        new="    if base.settled_at is not None and not shown.open_calls:\n",
    ),
    Mistake(
        name="what is live does not keep a cut short batch from its end",
        module=KNOWLEDGE,
        old="    return not shown.live_calls\n",
        new="    return True\n",
    ),
    Mistake(
        name="calls that wait are taken for waste after a plain end",
        module=KNOWLEDGE,
        old="    if reading.outcome not in _CUT_SHORT:\n",
        new="    if reading.outcome is None:\n",
    ),
    Mistake(
        name="no end is believed in silence",
        module=CONDITIONS,
        old="    return known.changed_at + wait\n",
        new="    return known.changed_at + PLANNED_WAIT\n",
    ),
    Mistake(
        name="silence ends what waits for a retry",
        module=CONDITIONS,
        old="    parked = known.open_calls == known.parked_calls\n",
        new="    parked = False\n",
    ),
    Mistake(
        name="silence does not begin anew when something moves",
        module=CONDITIONS,
        old="    return known.changed_at + wait\n",
        new="    return known.phase_since + wait\n",
    ),
    Mistake(
        name="old news are told",
        module=OBSERVE,
        old="    if known.settled_at and not _is_old_news(batch, known):\n",
        new="    if known.settled_at:\n",
    ),
    Mistake(
        name="what was found first never ends",
        module=OBSERVE,
        old="known.born_final and known.changed_at == known.phase_since\n",
        new="known.born_final\n",
    ),
    Mistake(
        name="what is reopened is not told",
        module=OBSERVE,
        old="    if was_settled and known.settled_at is None:\n",
        new="    if False:\n",
    ),
    Mistake(
        name="an end is told at every reading",
        module=OBSERVE,
        old="    if known.outcome and (settled is None or settled.outcome is not known.outcome):\n",
        new="    if known.outcome:\n",
    ),
    Mistake(
        name="an end is never late",
        module=OBSERVE,
        old="late=known.born_final,",
        new="late=False,",
    ),
    Mistake(
        name="previous is what is new",
        module=OBSERVE,
        old="    data = batch_data(source, before, after)\n",
        new="    data = batch_data(source, after, after)\n",
    ),
    Mistake(
        name="a stall ends in silence",
        module=KNOWLEDGE,
        old="        stalled_at=None if moved or known.settled_at else base.stalled_at,\n",
        new="        stalled_at=base.stalled_at,\n",
    ),
    Mistake(
        name="parked calls stall",
        module=CONDITIONS,
        old="        return known.open_calls > known.parked_calls\n",
        new="        return True\n",
    ),
    Mistake(
        name="a job stalls outside of its hours",
        module=CONDITIONS,
        old="        opened_at = known.schedule.opened_at(at)\n",
        new="        opened_at = known.schedule.opened_at(at) or known.changed_at\n",
    ),
    Mistake(
        name="a stall does not wait for the opening of its hours",
        module=CONDITIONS,
        old="        still_since = max(still_since, opened_at)\n",
        new="        still_since = min(still_since, opened_at)\n",
    ),
    Mistake(
        name="a start is overdue again and again",
        module=CONDITIONS,
        old="    if start is None or known.told_overdue or known.begun or known.settled_at:\n",
        new="    if start is None or known.begun or known.settled_at:\n",
    ),
    Mistake(
        name="a rerun is overdue by its old start",
        module=CONDITIONS,
        old="    if known.begun_until is not None and known.begun_until >= start:\n",
        new="    if False:\n",
    ),
    Mistake(
        name="one 404 makes a batch unreachable",
        module=UNREACHABLE,
        old="    if failures.refusals >= UNREACHABLE_POLLS:\n",
        new="    if failures.refusals >= 1:\n",
    ),
    Mistake(
        name="403s by which the account failed count against their batch",
        module=UNREACHABLE,
        old="        polls, refusals, tagged = polls - tagged, refusals - tagged, 0\n",
        new="        tagged = 0\n",
    ),
    Mistake(
        name="polls from before the account recovered count against their batch",
        module=UNREACHABLE,
        old="        polls, counted_since = 0, at\n",
        new="        pass\n",
    ),
    Mistake(
        name="one 403 fails the account",
        module=SOURCE,
        old="        return health.streak_polls >= FORBIDDEN_POLLS or",
        new="        return health.streak_polls >= 1 or",
    ),
    Mistake(
        name="a 404 does not end what fails",
        module=SOURCE,
        old="    return kind is None or matter_of(kind) is Matter.BATCH\n",
        new="    return kind is None\n",
    ),
    Mistake(
        name="five failed polls fail the account however short it took",
        module=SOURCE,
        old="    return health.streak_polls >= FAILING_POLLS and at - since >= FAILING_AFTER\n",
        new="    return health.streak_polls >= FAILING_POLLS\n",
    ),
)


@contextmanager
def planted(mistake: Mistake) -> Iterator[None]:
    """Let the module's functions run the changed code: callers hold the functions themselves."""
    module = sys.modules[mistake.module]
    changed = {
        function: made.__code__
        for function, made in _functions_of(module, mistake)
        if function.__code__ != made.__code__
    }
    before = {function: function.__code__ for function in changed}
    assert changed, f"no function of {mistake.module} has changed"
    try:
        for function, code in changed.items():
            function.__code__ = code
        yield
    finally:
        for function, code in before.items():
            function.__code__ = code


def _functions_of(
    module: ModuleType, mistake: Mistake
) -> Iterator[tuple[FunctionType, FunctionType]]:
    """Yield each function of a module beside what the changed text makes of it."""
    text = Path(str(module.__file__)).read_text()
    assert text.count(mistake.old) == 1, f"{mistake.old!r} is not once in {mistake.module}"
    made: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(text.replace(mistake.old, mistake.new), "<mistake>", "exec"), made)  # noqa: S102
    for name, function in vars(module).items():
        if isinstance(function, FunctionType) and function.__module__ == module.__name__:
            yield function, made[name]
