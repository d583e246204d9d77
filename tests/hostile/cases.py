"""Hostile answers: hand-made files under `bodies/`, and those too large to lie there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monitor.core.batch import Reading
from monitor.providers import bolna, vogent
from monitor.providers.generic import meaning_of
from monitor.providers.generic_settings import GenericSettings

BODIES: Final = Path(__file__).parent / "bodies"
REFUSED, SAME = "refused", "same"
"""What must come of a body: a failed poll, or a reading that tells nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Hold how one provider's answer is read."""

    name: str
    parse: Callable[[bytes, str], Reading]
    batch_id: str

    @property
    def baseline(self) -> bytes:
        """Return the healthy answer that came before the hostile one."""
        return (BODIES / self.name / "baseline.json").read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one hostile body and what must come of it."""

    api: Api
    verdict: str
    name: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.api.name}-{self.verdict}-{self.name}"


BOLNA: Final = Api(name="bolna", parse=bolna.parse, batch_id="b1")
VOGENT: Final = Api(name="vogent", parse=vogent.parse, batch_id="j1")


_meaning: Final = meaning_of(
    GenericSettings.model_validate(
        {
            "provider": "generic",
            "url": "https://api.example.com/batches/{id}",
            "id": "id",
            "status": "state",
            "counts": "counters",
            "total": "totals.all",
            "name": "title",
            "scheduled_at": "starts",
            "running": ["in_progress"],
            "completed": ["done"],
            "final_calls": ["done"],
        }
    )
)
GENERIC: Final = Api(
    name="generic",
    parse=lambda body, batch_id: _meaning.read(body, batch_id=batch_id),
    batch_id="g1",
)
APIS: Final = (BOLNA, VOGENT, GENERIC)


def cases() -> Iterator[Case]:
    """Yield all of them."""
    for api in APIS:
        for verdict in (REFUSED, SAME):
            for path in sorted((BODIES / api.name / verdict).iterdir()):
                yield Case(api=api, verdict=verdict, name=path.stem, body=path.read_bytes())
    for (api_name, verdict), bodies in _HUGE.items():
        api = {"bolna": BOLNA, "vogent": VOGENT}[api_name]
        for name, body in bodies.items():
            yield Case(api=api, verdict=verdict, name=name, body=body.encode())


def _bolna(more: str) -> str:
    return (
        '{"batch_id":"b1","status":"running","file_name":"customers.csv","valid_contacts":7,'
        f'"total_contacts":11,"execution_status":{{"completed":3,"ringing":4}},"notes":{more}}}'
    )


def _vogent(days: str, zone: str = '"UTC"') -> str:
    return (
        '{"id":"j1","name":"spring campaign","status":"ACTIVE",'
        f'"schedule":{{"days":{days},"timezone":{zone}}}}}'
    )


_SLOT: Final = '{"dayOfWeek":1,"timeSlots":[{"startTime":"09:00","endTime":"17:00"}]}'
_HUGE: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("bolna", REFUSED): {
        "arrays-nested-100000": "[" * 100_000,
        "arrays-nested-and-closed-100000": "[" * 100_000 + "]" * 100_000,
        "objects-nested-100000": '{"a":' * 100_000,
        "a-million-brackets": "[{" * 500_000,
        "nested-in-a-field-nobody-reads": _bolna("[" * 100_000 + "]" * 100_000),
        "a-megabyte-of-objects": _bolna("[" + "{}," * 330_000 + "1]"),
        "a-megabyte-of-objects-with-a-key": _bolna("[" + '{"a":1},' * 125_000 + "1]"),
        "a-megabyte-of-numbers": _bolna("[" + "0.1," * 250_000 + "1]"),
        "status-of-a-megabyte": f'{{"batch_id":"b1","status":"{"r" * 1_000_000}"}}',
        "counts-of-70000-words": '{"batch_id":"b1","status":"running","execution_status":{'
        + ",".join(f'"s{n}":1' for n in range(70_000))
        + "}}",
    },
    ("bolna", SAME): {
        "text-of-a-megabyte": _bolna(f'"{"x" * 900_000}"'),
        "escapes-of-a-megabyte": _bolna('"' + "\\u00e4" * 150_000 + '"'),
        "astral-text-of-a-megabyte": _bolna('"' + "x" * 900_000 + '\U0001f642"'),
        "40000-numbers": _bolna("[" + "1.5," * 40_000 + "1]"),
        "20000-objects": _bolna("[" + '{"a":1},' * 20_000 + "{}]"),
    },
    ("vogent", REFUSED): {
        "objects-nested-100000": '{"id":' * 100_000,
        "schedule-nested-100000": _vogent("[" * 100_000),
    },
    ("vogent", SAME): {
        "schedule-of-5000-days": _vogent(f"[{','.join([_SLOT] * 5_000)}]"),
        "schedule-zone-of-100000-characters": _vogent(f"[{_SLOT}]", f'"{"A" * 100_000}"'),
    },
}
